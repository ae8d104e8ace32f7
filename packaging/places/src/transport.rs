//! A place that clients fetch from, and how files come there and back: rsync(1) and rclone(1) do the work.
//!
//! Everything is done by lists of files that are known by name. Nothing is ever made the same as a folder here: what is
//! there and on no list is somebody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::str::FromStr;
use std::time::Duration;

use foundation::address::shown;
use foundation::store::StoreLock;

use crate::error::PlaceError;
use crate::told::{GENERATION, LOCKS, PUSHED};

/// A place to copy to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// A folder, or what rsync reaches: `/srv/www/mesos`, `user@host:path`, `rsync://host/module/path`.
    Rsync(String),
    /// What rclone reaches: `s3://bucket/path`, with AWS_ACCESS_KEY_ID and what else the environment has; or a remote of
    /// rclone's own configuration, `rclone:NAME:path`.
    Rclone(String),
}

impl FromStr for Remote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_end_matches('/');
        if let Some(path) = text.strip_prefix("s3://") {
            return match path.trim_end_matches('/') {
                "" => Err("s3:// needs a bucket".into()),
                path => Ok(Self::Rclone(format!(":s3:{path}"))),
            };
        }
        if let Some(remote) = trimmed.strip_prefix("rclone:") {
            return if remote.contains(':') {
                Ok(Self::Rclone(remote.into()))
            } else {
                Err(format!("'{text}' has no remote: write rclone:NAME:PATH"))
            };
        }
        if trimmed.starts_with('-') || text.is_empty() || (trimmed.contains("://") && !trimmed.starts_with("rsync://"))
        {
            let text = shown(text);
            return Err(format!(
                "'{text}' is none of /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH, rclone:NAME:PATH"
            ));
        }
        Ok(Self::Rsync(if trimmed.is_empty() { "/".into() } else { trimmed.into() }))
    }
}

impl Remote {
    /// As the program that reaches it calls it.
    fn address(&self) -> &str {
        let (Self::Rsync(place) | Self::Rclone(place)) = self;
        place
    }

    /// The address of the module of an rsync daemon, and the path in it, without a slash at the end; of any other place all
    /// of its address, and no path.
    fn module(&self) -> (&str, &str) {
        let address = self.address();
        let slash = |from: usize| address[from..].find('/').map(|at| from + at);
        let module = match (self, address.strip_prefix("rsync://"), address.find("::")) {
            (Self::Rsync(_), Some(_), _) => slash("rsync://".len()).map(|at| at + 1),
            (Self::Rsync(_), None, Some(colons)) => Some(colons + 2),
            _ => None,
        };
        match module.and_then(slash) {
            Some(end) => (&address[..end], address[end + 1..].trim_end_matches('/')),
            None => (address, ""),
        }
    }
}

/// As [`FromStr`] reads it, since messages have commands to be copied; but for passwords.
impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsync(place) => {
                let user = place.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
                f.write_str(&if user.is_some_and(|(user, _)| user.contains(':')) {
                    shown(place)
                } else {
                    place.clone()
                })
            }
            Self::Rclone(place) => match (place.strip_prefix(":s3:"), place.split_once(',')) {
                (Some(path), _) => write!(f, "s3://{path}"),
                // Parameters of a connection: some are secrets. They may have colons, in quotes.
                (None, Some((remote, rest))) if !remote.trim_start_matches(':').contains(':') => {
                    write!(f, "rclone:{remote},…:{}", rest.rsplit_once(':').map_or("", |(_, path)| path))
                }
                (None, _) => write!(f, "rclone:{place}"),
            },
        }
    }
}

/// What tells a place's own story, as patterns below its top; both programs read them (rsync(1), "PATTERN MATCHING RULES";
/// rclone, "Filtering").
fn told() -> [String; 4] {
    [format!("/{GENERATION}"), format!("/{PUSHED}"), format!("/{LOCKS}/*.json"), "/dists/*/InRelease".into()]
}

/// The path of the file that a killed rsync has left a beginning of, if a path is of such a one: `.NAME.` and six characters
/// of chance.
pub fn leftover_of(path: &str) -> Option<String> {
    let (folder, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    let (name, chance) = name.strip_prefix('.')?.rsplit_once('.')?;
    let is = chance.len() == 6 && chance.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty();
    is.then(|| format!("{folder}{name}"))
}

/// What is at the top of a folder that is copied, as ends of paths: the folders, each with a slash, and nothing for all
/// files. rsync would replace a link at the place by the folder of this name, and follows it where its path is named.
fn tops(folder: &Path) -> Result<BTreeSet<String>, PlaceError> {
    let attempt = || -> std::io::Result<BTreeSet<String>> {
        let top = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok(if entry.path().is_dir() { format!("{name}/") } else { String::new() })
        };
        fs::read_dir(folder)?.map(top).collect()
    };
    attempt().map_err(PlaceError::io("read the folder", folder))
}

/// No file of a place's own story is longer, in bytes: a list of half a million files has that.
pub const LONGEST_STORY: u64 = 64 << 20;

/// That rsync leaves out what is larger, and says so.
fn no_larger_than(most: u64) -> [String; 2] {
    // It takes no number that is larger.
    [format!("--max-size={}", most.min(i64::MAX as u64)), "--info=skip1".to_owned()]
}

/// What rsync has left out for that.
fn too_large(output: &Output) -> BTreeSet<String> {
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter_map(|line| line.strip_suffix(" is over max-size")).map(str::to_owned).collect()
}

/// How long a file may be served without asking for it again (RFC 9111, 5.2.2). An object store says so to caches; a web
/// server has to be told in its own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// The file's name never stands for other bytes: caches may keep it for ever.
    Forever,
    /// The next publication replaces the file: caches have to ask again soon.
    Briefly,
}

impl Cache {
    /// The value of Cache-Control.
    fn text(self) -> &'static str {
        match self {
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Briefly => "public, max-age=60, must-revalidate",
        }
    }
}

/// Works with a place.
pub struct Transport<'a> {
    /// The place.
    pub remote: &'a Remote,
    /// The lock of what is copied from here. Whoever copies holds it, also after this process was killed.
    pub lock: Option<&'a StoreLock>,
    /// How long one call of a program may take; for ever where somebody waits for nothing else.
    pub patience: Option<Duration>,
}

impl Transport<'_> {
    /// The names at the top of the place; `None` where there is no such place.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails. That there is no such place is no error.
    pub fn names(&self, what: &str) -> Result<Option<BTreeSet<String>>, PlaceError> {
        let mut command = match self.remote {
            Remote::Rsync(_) => {
                let mut command = Command::new("rsync");
                command.args(["--list-only", "--dirs"]);
                command
            }
            Remote::Rclone(_) => rclone("lsf"),
        };
        let slash = if matches!(self.remote, Remote::Rsync(_)) { "/" } else { "" };
        command.arg("--").arg(format!("{}{slash}", self.remote.address()));
        let output = self.output(what, command)?;
        if self.is_nothing(&output) {
            return Ok(None);
        }
        self.content(what, &output)?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let name = |line: &str| match self.remote {
            Remote::Rsync(_) => listed(line).map(str::to_owned),
            Remote::Rclone(_) => Some(line.trim_end_matches('/').to_owned()),
        };
        Ok(Some(lines.lines().filter_map(name).filter(|name| name != "." && !name.is_empty()).collect()))
    }

    /// Fetches what a place tells of itself into a folder. Returns the names at its top; `None` where there is no such
    /// place.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails. That there is no such place is no error.
    pub fn read(&self, into: &Path) -> Result<Option<BTreeSet<String>>, PlaceError> {
        const WHAT: &str = "reading what is there";
        let Some(names) = self.names(WHAT)? else { return Ok(None) };
        if !["repository", "dists"].iter().any(|name| names.contains(*name)) {
            return Ok(Some(names));
        }
        let mut command = match self.remote {
            Remote::Rsync(_) => {
                let mut command = Command::new("rsync");
                command.args(["--recursive", "--copy-links", "--times"]).args(no_larger_than(LONGEST_STORY));
                let folders = ["/repository/", "/repository/locks/", "/dists/", "/dists/*/"].map(str::to_owned);
                command.args(folders.iter().chain(&told()).map(|pattern| format!("--include={pattern}")));
                command.arg("--exclude=*");
                command
            }
            Remote::Rclone(_) => {
                let mut command = rclone("copy");
                command.arg(format!("--max-size={LONGEST_STORY}B"));
                command.args(told().iter().map(|pattern| format!("--include={pattern}")));
                command
            }
        };
        command.arg("--").arg(format!("{}/", self.remote.address())).arg(into);
        let output = self.output(WHAT, command)?;
        // 24: somebody's lock went away meanwhile.
        if output.status.code() != Some(24) {
            self.content(WHAT, &output)?;
        }
        match too_large(&output).first() {
            Some(name) => Err(self.failed(WHAT, format!("{name} is larger than {LONGEST_STORY} bytes"))),
            None => Ok(Some(names)),
        }
    }

    /// Fetches these files, as far as they are there, to the same paths below a folder; the caller checks what came. Those
    /// that are larger than `most` bytes are not fetched, and returned.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails. A file that is not there is no error.
    pub fn get(
        &self,
        what: &str,
        files: &BTreeSet<String>,
        most: Option<u64>,
        into: &Path,
    ) -> Result<BTreeSet<String>, PlaceError> {
        if let Remote::Rclone(_) = self.remote {
            return self.get_by_rclone(what, files, most, into);
        }
        // A daemon shows a folder of a module without what links there lead to outside of it; what it may show is all of
        // its module. What comes before `/./` in a name is no part of it (rsync(1), --relative).
        let (top, below) = self.remote.module();
        let list = self.list(files, &if below.is_empty() { String::new() } else { format!("{below}/./") })?;
        let mut command = Command::new("rsync");
        command.args(["--copy-links", "--times", "--ignore-missing-args", "--from0", "--files-from"]).arg(list.path());
        command.args(most.map(no_larger_than).into_iter().flatten());
        command.arg("--").arg(format!("{top}/")).arg(into);
        Ok(too_large(&self.done(what, command)?))
    }

    /// rclone heeds no limit for files that are listed: their sizes are asked for before.
    fn get_by_rclone(
        &self,
        what: &str,
        files: &BTreeSet<String>,
        most: Option<u64>,
        into: &Path,
    ) -> Result<BTreeSet<String>, PlaceError> {
        let (mut wanted, mut large) = (files.clone(), BTreeSet::new());
        if let Some(most) = most {
            let list = self.list(files, "")?;
            let mut command = rclone("lsf");
            command.args(["--recursive", "--files-only", "--format", "sp", "--separator", " ", "--files-from-raw"]);
            command.arg(list.path()).arg("--").arg(self.remote.address());
            let output = self.done(what, command)?;
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            let sizes = lines.lines().filter_map(|line| line.trim_start().split_once(' '));
            let above = sizes.filter(|(size, _)| size.parse::<u64>().is_ok_and(|size| size > most));
            large.extend(above.map(|(_, name)| name.to_owned()));
            wanted.retain(|name| !large.contains(name));
        }
        let list = self.list(&wanted, "")?;
        let mut command = rclone("copy");
        command.arg("--files-from-raw").arg(list.path());
        command.arg("--").arg(format!("{}/", self.remote.address())).arg(into);
        self.done(what, command)?;
        Ok(large)
    }

    /// The paths of all files below a folder of the place, each with the folder's name before it. None where there is no
    /// such folder.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails.
    pub fn names_below(&self, what: &str, folder: &str) -> Result<BTreeSet<String>, PlaceError> {
        let place = format!("{}/{folder}", self.remote.address());
        let mut command = match self.remote {
            Remote::Rsync(_) => {
                let mut command = Command::new("rsync");
                command.args(["--list-only", "--recursive", "--copy-links", "--no-human-readable"]);
                command
            }
            Remote::Rclone(_) => {
                let mut command = rclone("lsf");
                command.args(["--recursive", "--files-only"]);
                command
            }
        };
        command.arg("--").arg(format!("{place}/"));
        let output = self.output(what, command)?;
        if self.is_nothing(&output) {
            return Ok(BTreeSet::new());
        }
        self.content(what, &output)?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let name = |line: &str| match self.remote {
            // Folders are listed as well: rsync(1) says by the first letter what something is.
            Remote::Rsync(_) if !line.starts_with('-') => None,
            Remote::Rsync(_) => listed(line).map(str::to_owned),
            Remote::Rclone(_) => Some(line.to_owned()),
        };
        Ok(lines.lines().filter_map(name).map(|name| format!("{folder}/{name}")).collect())
    }

    /// Copies a folder, following its links; files that are there with the same content stay as they are. Each appears under
    /// its name when it is whole, and folders above are made. A link to a folder, which is at the place where a folder is
    /// copied to, is followed; anything else that is in a folder's way is an error.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails. Files that were copied before that stay.
    pub fn put(&self, what: &str, from: &Path, cache: Cache) -> Result<(), PlaceError> {
        let Remote::Rsync(_) = self.remote else {
            let mut command = rclone("copy");
            command.args(["--copy-links", "--checksum", "--header-upload"]);
            command.arg(format!("Cache-Control: {}", cache.text()));
            command.arg("--").arg(format!("{}/", from.display())).arg(format!("{}/", self.remote.address()));
            return self.done(what, command).map(drop);
        };
        for top in tops(from)? {
            let command = || {
                let mut command = Command::new("rsync");
                command.args(["--recursive", "--copy-links", "--times", "--chmod=D755,F644", "--mkpath", "--checksum"]);
                command.arg("--keep-dirlinks");
                if top.is_empty() {
                    command.arg("--exclude=*/");
                }
                command.arg("--").arg(format!("{}/{top}", from.display()));
                command.arg(format!("{}/{top}", self.remote.address()));
                command
            };
            let mut output = self.output(what, command())?;
            // Two who come to a new place at once both see that it is missing, and --mkpath fails for the second one.
            if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("File exists (17)") {
                output = self.output(what, command())?;
            }
            self.content(what, &output)?;
        }
        Ok(())
    }

    /// Removes these files, as far as they are there, and nothing else.
    ///
    /// # Errors
    /// rsync or rclone cannot be run or fails. A file that is not there is no error.
    pub fn delete(&self, what: &str, files: &BTreeSet<String>) -> Result<(), PlaceError> {
        if files.is_empty() {
            return Ok(());
        }
        if let Remote::Rclone(_) = self.remote {
            let list = self.list(files, "")?;
            let mut command = rclone("delete");
            command.arg("--files-from-raw").arg(list.path()).arg("--").arg(format!("{}/", self.remote.address()));
            return self.done(what, command).map(drop);
        }
        let empty = tempfile::tempdir().map_err(PlaceError::io("make a folder in", std::env::temp_dir()))?;
        // rsync looks for what is missing in folders that are there.
        for parent in files.iter().filter_map(|file| Path::new(file).parent()) {
            let parent = empty.path().join(parent);
            fs::create_dir_all(&parent).map_err(PlaceError::io("make the folder", &parent))?;
        }
        let mut by_top: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for file in files {
            let (top, below) = file.split_at(file.find('/').map_or(0, |slash| slash + 1));
            by_top.entry(top).or_default().insert(below.to_owned());
        }
        for (top, files) in by_top {
            let list = self.list(&files, "")?;
            let mut command = Command::new("rsync");
            command.args(["--delete-missing-args", "--keep-dirlinks", "--from0", "--files-from"]).arg(list.path());
            command.arg("--").arg(format!("{}/{top}", empty.path().display()));
            command.arg(format!("{}/{top}", self.remote.address()));
            self.done(what, command)?;
        }
        Ok(())
    }

    /// Removes what a killed rsync has left of these files, in the folders below the top. An object store has nothing of
    /// that kind.
    ///
    /// # Errors
    /// rsync cannot be run or fails.
    pub fn tidy(&self, what: &str, files: &BTreeSet<String>) -> Result<(), PlaceError> {
        let Remote::Rsync(_) = self.remote else { return Ok(()) };
        let tops: BTreeSet<&str> = files.iter().filter_map(|file| Some(file.split_once('/')?.0)).collect();
        let mut left = BTreeSet::new();
        for top in tops {
            let names = self.names_below(what, top)?;
            left.extend(names.into_iter().filter(|name| leftover_of(name).is_some_and(|file| files.contains(&file))));
        }
        self.delete(what, &left)
    }

    /// A list of files as the program reads it, each with `before` in front of it.
    fn list(&self, files: &BTreeSet<String>, before: &str) -> Result<tempfile::NamedTempFile, PlaceError> {
        let failed = || PlaceError::io("write", std::env::temp_dir());
        let file = tempfile::NamedTempFile::new().map_err(failed())?;
        let end = if matches!(self.remote, Remote::Rsync(_)) { '\0' } else { '\n' };
        let text: String = files.iter().map(|name| format!("{before}{name}{end}")).collect();
        fs::write(file.path(), text).map_err(failed())?;
        Ok(file)
    }

    fn output(&self, what: &str, command: Command) -> Result<Output, PlaceError> {
        let program = command.get_program().to_string_lossy().into_owned();
        // Clients read what it writes in a folder, whatever the umask here; what is there already keeps its permissions.
        let mut public = Command::new("sh");
        public.args(["-c", "umask 022 && exec \"$@\"", "sh"]);
        if let Some(patience) = self.patience {
            // timeout(1) ends what the program has started, such as ssh, with it.
            public.args(["timeout".to_owned(), patience.as_secs().max(1).to_string()]);
        }
        public.arg(&program).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => public.env(name, value),
                None => public.env_remove(name),
            };
        }
        match self.lock {
            Some(lock) => lock.share_with(&mut public)?,
            None => {
                public.stdin(Stdio::null());
            }
        }
        let missing = |why: &str| {
            self.failed(what, format!("{program} cannot be run ({why}): install it with `apt-get install {program}`"))
        };
        let output = public.env("LC_ALL", "C").output().map_err(|error| missing(&error.to_string()))?;
        // sh(1), "EXIT STATUS".
        if output.status.code() == Some(127) { Err(missing("there is no such program")) } else { Ok(output) }
    }

    /// Runs a program to a good end.
    fn done(&self, what: &str, command: Command) -> Result<Output, PlaceError> {
        let output = self.output(what, command)?;
        self.content(what, &output)?;
        Ok(output)
    }

    /// That a program has ended well.
    fn content(&self, what: &str, output: &Output) -> Result<(), PlaceError> {
        if output.status.success() {
            return Ok(());
        }
        if let (Some(patience), Some(124)) = (self.patience, output.status.code()) {
            return Err(self.failed(what, format!("it was not done after {} s", patience.as_secs())));
        }
        let said = String::from_utf8_lossy(&output.stderr).replace(self.remote.address(), &self.remote.to_string());
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(3)..];
        let program = if matches!(self.remote, Remote::Rsync(_)) { "rsync" } else { "rclone" };
        Err(self.failed(what, format!("{program} says: {}", last.join("; "))))
    }

    fn failed(&self, what: &str, message: String) -> PlaceError {
        PlaceError::Copy { what: format!("{what} ({})", self.remote), message }
    }

    /// Whether it failed because there is no such folder: rsync's 23 is a partial transfer of any kind, rclone's 3 says it.
    fn is_nothing(&self, output: &Output) -> bool {
        match self.remote {
            Remote::Rsync(_) => {
                let said = String::from_utf8_lossy(&output.stderr);
                output.status.code() == Some(23) && said.contains("No such file or directory (2)")
            }
            Remote::Rclone(_) => output.status.code() == Some(3),
        }
    }
}

/// The name in a line of rsync's list: permissions, size, date, time, name.
fn listed(line: &str) -> Option<&str> {
    let mut rest = line;
    for _ in 0..4 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    // A link is shown with its target.
    rest.trim_start().split(" -> ").next()
}

fn rclone(what: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("rclone");
    command.arg(what);
    // Credentials come from the environment: rclone's own variables win over Amazon's.
    let default = |command: &mut Command, name: &str, value: &str| {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    };
    default(&mut command, "RCLONE_S3_ENV_AUTH", "true");
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
    match endpoint {
        Some(endpoint) => {
            default(&mut command, "RCLONE_S3_ENDPOINT", &endpoint);
            default(&mut command, "RCLONE_S3_PROVIDER", "Other");
        }
        None => default(&mut command, "RCLONE_S3_PROVIDER", "AWS"),
    }
    // rclone ends where it finds Amazon's name for that, and has one of its own.
    if let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE") {
        command.env_remove("AWS_CA_BUNDLE");
        if std::env::var_os("RCLONE_CA_CERT").is_none() {
            command.env("RCLONE_CA_CERT", bundle);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let rsync = |text: &str| Ok(Remote::Rsync(text.into()));
        assert_eq!("/srv/www/".parse::<Remote>(), rsync("/srv/www"));
        assert_eq!("me@host:www".parse::<Remote>(), rsync("me@host:www"));
        assert_eq!("rsync://host/module".parse::<Remote>(), rsync("rsync://host/module"));
        assert_eq!("s3://bucket/a/b".parse::<Remote>(), Ok(Remote::Rclone(":s3:bucket/a/b".into())));
        assert_eq!("rclone:mine:a".parse::<Remote>(), Ok(Remote::Rclone("mine:a".into())));
        for same in ["/srv/www", "me@host:www", "rsync://host/module", "s3://bucket/a/b", "rclone:mine:a"] {
            assert_eq!(same.parse::<Remote>().unwrap().to_string(), same);
        }
        for (text, told) in [
            ("rsync://me:secret@host/a", "rsync://host/a"),
            ("rclone::ftp,host=h,pass=secret:a/b", "rclone::ftp,…:a/b"),
            ("rclone:mine:a,b", "rclone:mine:a,b"),
        ] {
            assert_eq!(text.parse::<Remote>().unwrap().to_string(), told);
        }
        let module = |text: &str| {
            let remote: Remote = text.parse().unwrap();
            let (top, below) = remote.module();
            (top.to_owned(), below.to_owned())
        };
        let pair = |top: &str, below: &str| (top.to_owned(), below.to_owned());
        assert_eq!(module("rsync://host/module/a/b/"), pair("rsync://host/module", "a/b"));
        assert_eq!(module("rsync://me@host:8730/module/a"), pair("rsync://me@host:8730/module", "a"));
        assert_eq!(module("rsync://host/module"), pair("rsync://host/module", ""));
        assert_eq!(module("host::module/a/b"), pair("host::module", "a/b"));
        for whole in ["host::module", "/srv/www/a", "me@host:www/a", "s3://bucket/a/b", "rclone:mine:a/b"] {
            let remote: Remote = whole.parse().unwrap();
            assert_eq!(remote.module(), (remote.address(), ""), "{whole}");
        }
        let left = |path: &str| leftover_of(path);
        assert_eq!(left("parts/ab/.abc.x1Y2z3").as_deref(), Some("parts/ab/abc"));
        assert_eq!(left(".a.deb.x1Y2z3").as_deref(), Some("a.deb"));
        for own in ["parts/ab/abc", "parts/.htaccess", "parts/..x1Y2z3", "parts/.abc.x1-2z3"] {
            assert_eq!(left(own), None, "{own}");
        }
        for bad in ["", "--delete", "ftp://host/x", "https://host", "s3://", "rclone:mine"] {
            assert!(bad.parse::<Remote>().is_err(), "{bad}");
        }
    }
}
