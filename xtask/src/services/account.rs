//! Which user a server runs as when we are root and it refuses to be.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};

/// User and group ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The unprivileged user for servers, if we are root: `postgres`, else `nobody`. `None` when we are not root.
    pub(super) fn for_servers() -> Outcome<Option<Self>> {
        let me = fs::metadata("/proc/self").map(|meta| meta.uid()).unwrap_or_default();
        if me != 0 {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").doing("read /etc/passwd")?;
        ["postgres", "nobody"].iter().find_map(|name| find(&users, name)).map(Some).ok_or_else(|| {
            Failure::new("Postgres does not run as root, and this machine has no user `nobody`")
        })
    }

    /// Gives the file or folder to this user.
    pub(super) fn own(self, path: &Path) -> Outcome {
        chown(path, Some(self.uid), Some(self.gid)).doing(format_args!("hand {} over", path.display()))
    }

    /// Makes the program run as this user.
    pub(super) fn become_for(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// The ids of a user in the text of /etc/passwd (`name:x:uid:gid:…`).
fn find(users: &str, name: &str) -> Option<Account> {
    let mut fields = users
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| if fields.next() == Some(name) { Some(fields) } else { None })?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/:/usr/sbin/nologin\n";
        assert_eq!(find(users, "nobody"), Some(Account { uid: 65534, gid: 65533 }));
        assert_eq!(find(users, "postgres"), None);
    }
}
