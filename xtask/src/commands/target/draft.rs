//! The file of a new target: that of another one, with its comments, and other values where the two differ.

use std::collections::BTreeMap;

use foundation::failure::{Kind, Message};
use recipe::target::{Target, TargetName};
use serde::Deserialize;
use toml_edit::{Array, DocumentMut, Value};

/// What is to be written into the file.
pub struct Draft<'a> {
    /// The new target's name.
    pub name: &'a TargetName,
    /// The suite, by its codename.
    pub suite: &'a str,
    /// The keyring's path in the targets' folder.
    pub keyring: &'a str,
    /// What follows versions; none to derive it.
    pub suffix: Option<&'a str>,
}

/// What a target file says of an architecture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Architecture {
    multiarch: String,
    gnu_type: String,
    merged_folders: Vec<String>,
}

impl Draft<'_> {
    /// The new file, of the other target's file `text`, which says `like`.
    ///
    /// # Errors
    /// The suffix cannot be derived, nothing is known of the architecture, or `text` is not TOML.
    pub fn text(&self, text: &str, like: &Target) -> Result<String, Message> {
        let mut file: DocumentMut = text.parse().map_err(Message::of("the other target's file is not TOML"))?;
        let suffix = match self.suffix {
            Some(suffix) => suffix.to_owned(),
            None => suffix(self.name, like)?,
        };
        let name = self.name.to_string();
        for (field, value) in [
            ("name", &name),
            ("suite", &self.suite.to_owned()),
            ("version-suffix", &suffix),
            ("keyring", &self.keyring.to_owned()),
        ] {
            set(&mut file, field, value.as_str().into());
        }
        // They are another release's, and what the new one's are called, or whether it has some, nothing here says.
        if self.name.release() != like.name.release() {
            file.remove("further-archive");
        }
        if self.name.architecture() != like.name.architecture() {
            let Architecture { multiarch, gnu_type, merged_folders } = architecture(self.name.architecture())?;
            set(&mut file, "multiarch", multiarch.into());
            set(&mut file, "gnu-type", gnu_type.into());
            // Where a package ships the links there is nothing to say of them, whatever the architecture.
            if !like.merged_folders.is_empty() {
                set(&mut file, "merged-folders", merged_folders.iter().collect::<Array>().into());
            }
        }
        Ok(file.to_string())
    }
}

/// Puts a value in the place of another one, and leaves what stands around it.
fn set(file: &mut DocumentMut, field: &str, mut value: Value) {
    match file.get_mut(field).and_then(toml_edit::Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => file[field] = value.into(),
    }
}

fn architecture(name: &str) -> Result<Architecture, Message> {
    let mut all: BTreeMap<String, Architecture> =
        toml::from_str(include_str!("architectures.toml")).expect("a test reads it");
    all.remove(name).ok_or_else(|| {
        let known = all.into_keys().collect::<Vec<_>>().join(", ");
        Message::new(
            format!("nothing is known of the architecture {name}; known are {known}"),
            Kind::Usage.next("give it a section in xtask/src/commands/target/architectures.toml; `dpkg-architecture -A NAME` tells its values"),
        )
    })
}

/// The suffix of the other target with the new release's number in the place of its own. A release without a number is one
/// that never ends, such as sid: as in Debian itself, its versions have no suffix, and so are newer than those of every
/// release that does end.
fn suffix(name: &TargetName, like: &Target) -> Result<String, Message> {
    if name.release() == like.name.release() {
        return Ok(like.version_suffix.clone());
    }
    let number = |name: &TargetName| {
        let (_, last) = name.release().rsplit_once('-').unwrap_or_default();
        last.starts_with(|first: char| first.is_ascii_digit()).then(|| last.to_owned())
    };
    match (number(name), number(&like.name)) {
        (None, _) => Ok(String::new()),
        (Some(new), Some(old)) if like.version_suffix.contains(&old) => Ok(like.version_suffix.replacen(&old, &new, 1)),
        _ => Err(Message::usage(format!(
            "no suffix for the versions of {name} follows from '{}', which those of {} have: name it with --version-suffix",
            like.version_suffix, like.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::repository;

    fn draft(like: &str, name: &str, suite: &str) -> (String, String) {
        let targets = repository().join("containers/targets");
        let like = Target::read(&targets, &like.parse().unwrap()).unwrap();
        let old = std::fs::read_to_string(targets.join(like.name.file_stem() + ".toml")).unwrap();
        let name: TargetName = name.parse().unwrap();
        let draft = Draft { name: &name, suite, keyring: "keyrings/new.gpg", suffix: None };
        let new = draft.text(&old, &like).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name.file_stem() + ".toml"), &new).unwrap();
        Target::read(folder.path(), &name).unwrap();
        (old, new)
    }

    /// The lines of the new file that the old one does not have.
    fn changed<'a>(old: &str, new: &'a str) -> Vec<&'a str> {
        let kept = old.split("\n[[further-archive]]").next().unwrap();
        assert!(
            [old, kept].iter().any(|old| old.trim_end().lines().count() == new.trim_end().lines().count()),
            "{new}"
        );
        new.lines().zip(old.lines()).filter(|(new, old)| new != old).map(|(new, _)| new).collect()
    }

    #[test]
    fn another_release() {
        let (old, new) = draft("debian-13/amd64", "debian-14/amd64", "forky");
        let lines = [
            "name = \"debian-14/amd64\"",
            "suite = \"forky\"",
            "version-suffix = \"~deb14u1\"",
            "keyring = \"keyrings/new.gpg\"",
        ];
        assert_eq!(changed(&old, &new), lines);
        assert!(
            old.contains("trixie-security") && !new.contains("further-archive"),
            "another release's archives: {new}"
        );
        let (old, new) = draft("debian-13/amd64", "debian-sid/amd64", "sid");
        assert!(changed(&old, &new).contains(&"version-suffix = \"\""), "{new}");
    }

    #[test]
    fn another_architecture() {
        let (old, new) = draft("debian-13/amd64", "debian-13/arm64", "trixie");
        let multiarch = ["multiarch = \"aarch64-linux-gnu\"", "gnu-type = \"aarch64-linux-gnu\""];
        let lines = changed(&old, &new);
        assert!(multiarch.iter().all(|line| lines.contains(line)) && lines.len() == 4, "{lines:?}");
        assert!(new.contains("merged-folders = []") && new.contains("trixie-security"));
        let (old, new) = draft("debian-12/amd64", "debian-12/i386", "bookworm");
        let lines = changed(&old, &new);
        assert!(lines.contains(&"gnu-type = \"i686-linux-gnu\""), "{lines:?}");
        assert!(lines.contains(&"merged-folders = [\"bin\", \"lib\", \"lib64\", \"libx32\", \"sbin\"]"), "{lines:?}");
    }

    /// What is known of architectures is what the targets say that are there.
    #[test]
    fn architectures_of_the_targets() {
        let targets = repository().join("containers/targets");
        for name in Target::names(&targets).unwrap() {
            let target = Target::read(&targets, &name).unwrap();
            let known = architecture(name.architecture()).unwrap();
            assert_eq!((known.multiarch, known.gnu_type), (target.multiarch, target.gnu_type));
            assert!(target.merged_folders.is_empty() || target.merged_folders == known.merged_folders, "{name}");
        }
        assert!(architecture("vax").is_err());
    }
}
