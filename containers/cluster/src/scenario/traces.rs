//! What a package leaves behind: the files of a node before and after, as piuparts compares them.

use std::collections::{BTreeMap, BTreeSet};

use super::otherwise;
use crate::Error;
use crate::node::Node;

/// Every file of the node's own file system: kind, permissions, owner, path, and what a link points to. Left out is what
/// apt, dpkg and the system itself write while they work, of which no package knows: the same that piuparts leaves out. So is
/// what Python compiles of its own modules when somebody first needs them; not what it compiles of a package's.
const LIST: &str = r"
find / -xdev \( \
    -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/cache -o -path /etc/apt -o -path /root -o -path /srv -o \
    -path /var/log/apt -o -path /var/log/journal -o -path /var/log/dpkg.log -o -path /var/log/alternatives.log -o \
    -path /var/lib/systemd/timers -o -path /var/lib/systemd/random-seed -o -path /var/lib/systemd/credential.secret -o \
    -path '/var/tmp/systemd-private-*' -o -path /etc/.pwd.lock -o -path '/etc/passwd*' -o -path '/etc/group*' -o \
    -path '/etc/shadow*' -o -path '/etc/gshadow*' -o -path '/etc/subuid*' -o -path '/etc/subgid*' -o \
    -path '/usr/lib/python3.*/__pycache__' -o -path '/usr/share/python3/*/__pycache__' \
    \) -prune -o ! -path / -printf '%y %m %u:%g %p %l\n'
";

/// The files of a node.
#[derive(Debug)]
pub struct Files(BTreeSet<String>);

impl Files {
    /// Lists the files that a node has now.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn of(node: &Node) -> Result<Self, Error> {
        let said = node.step("listing all files", LIST, &BTreeMap::new()).await?;
        Ok(Self(said.lines().map(|line| line.trim_end().to_owned()).collect()))
    }

    /// Fails where something is there that was not, or is gone that was; `kept` are folders that may stay, with all that
    /// is in them.
    ///
    /// # Errors
    /// The files differ: the error lists them.
    pub fn same_after(&self, node: &Node, step: &str, later: &Self, kept: &[String]) -> Result<(), Error> {
        let found = self.difference(later, kept);
        if found.is_empty() {
            return Ok(());
        }
        Err(otherwise(&node.name, step, found.join("\n")))
    }

    fn difference(&self, later: &Self, kept: &[String]) -> Vec<String> {
        let gone = self.0.difference(&later.0).map(|line| format!("gone: {line}"));
        let left = later.0.difference(&self.0).filter(|line| !may_stay(line, kept)).map(|line| format!("left: {line}"));
        gone.chain(left).collect()
    }
}

/// Whether a line is about a folder that may stay, something in it, or a folder on the way to it.
fn may_stay(line: &str, kept: &[String]) -> bool {
    let Some(path) = line.splitn(4, ' ').nth(3) else { return false };
    let below = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    kept.iter().any(|folder| path == folder || below(path, folder) || (line.starts_with('d') && below(folder, path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_what_is_gone() {
        let files = |lines: &[&str]| Files(lines.iter().map(|line| (*line).to_owned()).collect());
        let before = files(&["d 755 root:root /var/lib", "f 644 root:root /etc/hosts", "f 644 root:root /etc/old"]);
        let after = files(&[
            "d 755 root:root /var/lib",
            "f 600 root:root /etc/hosts",
            "d 755 root:root /var/lib/thing",
            "d 755 root:root /var/lib/thing/agent",
            "f 644 root:root /var/lib/thing/agent/data with a blank",
            "f 644 root:root /var/lib/thing/other",
            "d 755 root:root /var/lib/thing/agent2",
        ]);
        assert_eq!(
            before.difference(&after, &["/var/lib/thing/agent".to_owned()]),
            [
                "gone: f 644 root:root /etc/hosts",
                "gone: f 644 root:root /etc/old",
                "left: d 755 root:root /var/lib/thing/agent2",
                "left: f 600 root:root /etc/hosts",
                "left: f 644 root:root /var/lib/thing/other",
            ]
        );
        assert_eq!(before.difference(&before, &[]), [""; 0]);
        assert_eq!(before.difference(&after, &[]).len(), 8);
    }
}
