//! What a request asks for, in the terms of access rules.
use std::collections::BTreeSet;

use mesh_wire::{Message, Protocol};

use crate::session::Session;

/// A resource, with all names that a rule may use for it, and the action on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) names: Vec<String>,
    pub(crate) action: String,
}

/// The action of a request that is neither MCP nor to a model.
pub(crate) fn action(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" | "OPTIONS" => "read",
        "DELETE" => "delete",
        _ => "write",
    }
}

/// Whether a name has a `..` segment, encoded or not.
fn climbs(name: &str) -> bool {
    let plain = name.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    plain.split(['/', '\\', ';']).any(|segment| segment == "..")
}

impl Session {
    /// Everything that this request asks for; each item must be granted.
    pub(crate) fn asks(&self) -> Vec<Ask> {
        let ask = |names: &[&str], action: &str| Ask {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            action: action.to_owned(),
        };
        let methods = || self.head.methods().chain(self.message.iter().flat_map(Message::methods));
        let actions: BTreeSet<&str> = methods().map(|method| action(&method)).collect();
        let paths = self.head.paths();
        let by_path = paths.iter().flat_map(|path| {
            let name = Some(*path).filter(|path| !climbs(path));
            actions.iter().map(move |action| ask(name.as_slice(), action))
        });
        let Some(message) = &self.message else { return by_path.collect() };
        let mut asks = Vec::new();
        if message.mcp {
            asks.extend(message.resources.iter().map(|used| {
                let bare = used.resource.split_once("://").map_or(used.resource.as_str(), |(_, rest)| rest);
                let prefix = match used.action {
                    "call" => "tools",
                    "get" => "prompts",
                    _ => "resources",
                };
                // If the server resolves dots, no name tells what is read.
                if climbs(bare) {
                    return ask(&[], used.action);
                }
                ask(&[&used.resource, bare.trim_start_matches('/'), &format!("{prefix}/{bare}")], used.action)
            }));
        }
        // The format of a body does not tell how the server at this path reads it. The path does if it belongs to a
        // protocol and the request uses the protocol's method.
        let posted = methods().all(|method| method == "POST") && paths.len() == 1;
        let told = posted && self.told_by_path(message);
        let mcp = told && message.protocol == Protocol::Mcp;
        let named = mcp && !message.unnamed;
        if !mcp {
            asks.extend(message.models().map(|model| ask(&[model, &format!("models/{model}")], "query")));
        }
        let query = told && self.route.queries && !message.mcp && !asks.is_empty();
        if !query && !named {
            asks.extend(by_path);
        }
        asks
    }
}
