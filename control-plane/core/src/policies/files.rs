//! The documents in a control plane's files, as it finds them at its start.
//!
//! A file is what its author last said: what has changed since (over the API: a roll-back, a suspended agent, a rollout) is
//! newer, and a start must not undo it. So each document is put in force once, and again only when its file says something
//! else; which documents the files gave is kept in the log. What a rollout or a freeze forbids is held back, and tried again
//! at the next start: a control plane that did not start would be worse than a change that waits.
use std::collections::BTreeMap;

use jiff::Timestamp;
use mesh_audit::ContentHash;
use mesh_policy::{Document, FileDigests, State};

use super::{Policies, Wanted};
use crate::agents::settled;
use crate::policy_error::PolicyError;
use crate::ports::StoreError;

/// What the digests are kept under.
pub(crate) const FILES: &str = "mesh/files";

/// What came of the files.
#[derive(Debug, Default)]
pub struct FromFiles {
    /// Names of the documents that were put in force.
    pub changed: Vec<String>,
    /// What is not put in force now, and why.
    pub held: Vec<(String, PolicyError)>,
}

impl Policies {
    /// Makes those documents current that differ from what the files gave before.
    ///
    /// # Errors
    /// As [`Policies::put_all`].
    pub async fn put_files(
        &self,
        documents: Vec<(String, Document)>,
        now: Timestamp,
    ) -> Result<FromFiles, (String, PolicyError)> {
        let nobodys = |error: PolicyError| (String::new(), error);
        self.refresh().await.map_err(nobodys)?;
        let set = self.set();
        let known = match set.state(FILES) {
            Some(State::Files(known)) => known.documents.clone(),
            _ => BTreeMap::new(),
        };
        let mut digests = BTreeMap::new();
        let mut wanted = Vec::new();
        let mut held = Vec::new();
        for (name, document) in documents {
            let digest = digest(&document).map_err(|error| (name.clone(), error.into()))?;
            if known.get(&name) == Some(&digest) {
                digests.insert(name, digest);
                continue;
            }
            let document = settled(&document, set.get(&name));
            let there = set.get(&name).and_then(|held| held.version.document.as_ref()) == Some(&document);
            match self.admits(&set, &name, &Wanted::Document(Box::new(document.clone()))).await {
                Err(error) if !there => {
                    digests.extend(known.get(&name).map(|old| (name.clone(), old.clone())));
                    held.push((name, error));
                }
                _ => {
                    digests.insert(name.clone(), digest);
                    wanted.push((name, document));
                }
            }
        }
        if digests != known {
            let digests = FileDigests { documents: digests };
            wanted.push((FILES.to_owned(), Document::State(State::Files(digests))));
        }
        let mut changed = self.put_all(wanted, now).await?;
        changed.retain(|name| name != FILES);
        Ok(FromFiles { changed, held })
    }
}

/// A digest of what a document says, whatever its file looks like.
fn digest(document: &Document) -> Result<String, StoreError> {
    let text = serde_json::to_vec(document);
    let text = text.map_err(|error| StoreError::caused("the document cannot be written down", error))?;
    let mut hash = ContentHash::new(b"ai-mesh file");
    hash.update(&text);
    Ok(hash.finish())
}
