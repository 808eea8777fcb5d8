//! Many documents at once, as a control plane is given them at its start.
use jiff::Timestamp;
use mesh_policy::{Document, Severity};

use super::{ATTEMPTS, Policies, Wanted, outrun, refused};
use crate::admission::Remark;
use crate::agents::settled;
use crate::policy::{Change, PolicyVersion};
use crate::policy_error::PolicyError;

impl Policies {
    /// Makes all these documents current, or none: they are checked together, written together and published once, however many
    /// there are. One that is in force word for word already makes no version. Gives the names of those that changed.
    ///
    /// # Errors
    /// With the name of the document that is refused; empty where it is no single one's fault.
    pub async fn put_all(
        &self,
        documents: Vec<(String, Document)>,
        now: Timestamp,
    ) -> Result<Vec<String>, (String, PolicyError)> {
        let nobodys = |error: PolicyError| (String::new(), error);
        let _turn = self.inner.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let set = self.current().await.map_err(nobodys)?;
            let mut versions = Vec::new();
            for (name, document) in &documents {
                let document = settled(document, set.get(name));
                let held = set.get(name).and_then(|held| held.version.document.as_ref());
                if held == Some(&document) {
                    continue;
                }
                let wanted = Wanted::Document(Box::new(document.clone()));
                self.admits(&set, name, &wanted).await.map_err(|error| (name.clone(), error))?;
                versions.push(PolicyVersion {
                    name: name.clone(),
                    version: set.next_version(name),
                    change: if held.is_some() { Change::Updated } else { Change::Created },
                    at: now,
                    document: Some(document),
                });
            }
            if versions.is_empty() {
                return Ok(Vec::new());
            }
            let candidate = self.candidate(&set, &versions).await.map_err(nobodys)?;
            if let Err(remarks) = self.remarks(&candidate.bundle).await.map_err(nobodys)? {
                let is_error = |said: &&Remark| said.diagnostic.severity == Severity::Error;
                let name = remarks.iter().find(is_error).map(|said| said.policy.clone()).unwrap_or_default();
                let error = refused(remarks, Some(&name));
                return Err((name, error));
            }
            if self.write(&set, candidate, &versions).await.map_err(nobodys)?.is_some() {
                return Ok(versions.into_iter().map(|version| version.name).collect());
            }
        }
        Err(nobodys(outrun()))
    }
}
