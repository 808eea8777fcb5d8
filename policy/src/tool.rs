//! What people have decided on the definitions of a tool.
use serde::{Deserialize, Serialize};

/// The decisions on one tool of one server. Digests are SHA-256 in hex, over the canonical form of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolApproval {
    /// The server that offers it: host, and path.
    pub server: String,
    /// Its name there.
    pub name: String,
    /// Definitions that may be offered.
    pub approved: Vec<String>,
    /// Definitions that may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// The server was seen to offer a definition that is not approved since the last approval.
    #[serde(default)]
    pub changed: bool,
}
