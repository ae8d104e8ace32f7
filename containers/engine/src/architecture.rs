//! Which programs an engine's machine runs: those of its own architecture, and with `--emulate` others, which the kernel hands
//! to QEMU (`Documentation/admin-guide/binfmt-misc.rst` of the kernel).

use std::path::Path;

use crate::{Engine, Error};

/// Where the kernel tells what it hands to whom: a file for each interpreter.
const REGISTER: &str = "/proc/sys/fs/binfmt_misc";

/// Whether programs of other architectures are emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emulation {
    /// Nobody asked for it.
    No,
    /// By the kernel of this machine, which can be asked.
    Here,
    /// By the kernel of another one.
    Elsewhere,
}

impl Engine {
    /// The same engine, in whose containers programs of other architectures may be emulated.
    ///
    /// # Errors
    /// The engine does not say where it runs.
    pub async fn with_emulation(mut self) -> Result<Self, Error> {
        self.emulation = if self.info().await?.remote { Emulation::Elsewhere } else { Emulation::Here };
        Ok(self)
    }

    /// Whether programs of a target's architecture, as Debian calls it, run in its containers. Of another machine's kernel only a
    /// container can tell.
    ///
    /// # Errors
    /// Its machine is of another architecture, and nobody asked for emulation or the kernel does not do it.
    pub fn runs(&self, wants: &str) -> Result<(), Error> {
        let (endpoint, has, wanted) = (self.endpoint().to_owned(), self.architecture.clone(), wants.to_owned());
        match self.emulation {
            _ if self.runs_itself(wants) => Ok(()),
            Emulation::No => Err(Error::Architecture { endpoint, has, wants: wanted }),
            Emulation::Here => match missing(wants) {
                Some(why) => Err(Error::NotEmulated { endpoint, has, wants: wanted, why }),
                None => Ok(()),
            },
            Emulation::Elsewhere => Ok(()),
        }
    }

    /// Whether its machine's processors run programs of this architecture.
    pub fn runs_itself(&self, wants: &str) -> bool {
        runs(&self.architecture, wants)
    }

    /// Whether emulation was asked for.
    pub fn may_emulate(&self) -> bool {
        self.emulation != Emulation::No
    }

    /// The architecture of its machine, as Debian calls it; empty where it does not tell.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }
}

/// An architecture as Debian calls it, of Go's name for it (the engines are written in Go). One that is not known keeps its name.
pub(crate) fn of_go(go: &str) -> String {
    match go {
        "386" => "i386",
        "arm" => "armhf",
        "ppc64le" => "ppc64el",
        "mips64le" => "mips64el",
        same => same,
    }
    .to_owned()
}

/// Whether a machine of one architecture runs programs of another. An engine that does not tell its own is asked to try.
fn runs(has: &str, wants: &str) -> bool {
    has.is_empty() || has == wants || (has, wants) == ("amd64", "i386") || (has, wants) == ("armhf", "armel")
}

/// What QEMU, and Debian's packages of it, call the emulator of an architecture that Debian calls so.
pub fn emulator(architecture: &str) -> String {
    let qemu = match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "armel" | "armhf" => "arm",
        "ppc64el" => "ppc64le",
        "loong64" => "loongarch64",
        same => same,
    };
    format!("qemu-{qemu}")
}

/// Why the kernel of this machine does not hand such programs to their emulator, also in containers. None if it does.
fn missing(architecture: &str) -> Option<String> {
    missing_in(Path::new(REGISTER), &emulator(architecture))
}

fn missing_in(register: &Path, emulator: &str) -> Option<String> {
    let place = register.join(emulator);
    let Ok(text) = std::fs::read_to_string(&place) else {
        let why = if register.join("status").exists() { "" } else { ", and binfmt_misc is not mounted" };
        return Some(format!("there is no {}{why}", place.display()));
    };
    let mut lines = text.lines();
    if lines.next() != Some("enabled") {
        return Some(format!("{} is not enabled", place.display()));
    }
    // The kernel opened the emulator when it was registered: a container need not have it.
    let fixed = lines.any(|line| line.strip_prefix("flags:").is_some_and(|flags| flags.contains('F')));
    (!fixed).then(|| format!("{} has no flag F, by which the emulator is found in containers, too", place.display()))
}

#[cfg(test)]
mod tests {
    use foundation::failure::Failure;

    use super::*;
    use crate::fake::Fake;

    #[tokio::test]
    async fn an_engine_on_another_architecture_is_refused_by_name() {
        let fake = Fake::start("arm64", &[]);
        let engine = fake.engine().await;
        engine.runs("arm64").unwrap();
        let error = engine.runs("amd64").unwrap_err();
        assert_eq!(error.outcome().kind.exit_code(), 4);
        let text = error.message();
        for part in [&fake.host(), "arm64", "amd64", "DOCKER_HOST", "--emulate", "--target"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(runs("amd64", "i386") && !runs("i386", "amd64"));
        assert_eq!(of_go("ppc64le"), "ppc64el");
    }

    #[tokio::test]
    async fn what_is_to_be_emulated_needs_the_kernel() {
        let fake = Fake::start("amd64", &[]);
        let mut engine = fake.engine().await;
        engine.emulation = Emulation::Here;
        engine.runs("amd64").unwrap();
        // No kernel emulates this one.
        let error = engine.runs("vax").unwrap_err();
        assert_eq!(error.outcome().kind.exit_code(), 4);
        let text = error.message();
        for part in
            ["amd64", "vax", "qemu-user-static", "systemd-binfmt", "update-binfmts --enable qemu-vax", "DOCKER_HOST"]
        {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        engine.emulation = Emulation::Elsewhere;
        engine.runs("vax").unwrap();
        assert!(!engine.runs_itself("vax") && engine.may_emulate());
    }

    #[test]
    fn what_the_kernel_says() {
        let folder = tempfile::tempdir().unwrap();
        let why = || missing_in(folder.path(), &emulator("arm64"));
        assert!(why().unwrap().ends_with("qemu-aarch64, and binfmt_misc is not mounted"));
        std::fs::write(folder.path().join("status"), "enabled\n").unwrap();
        assert!(why().unwrap().ends_with("qemu-aarch64"), "it is mounted");
        let entry = |text: &str| std::fs::write(folder.path().join("qemu-aarch64"), text).unwrap();
        entry("disabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: F\noffset 0\n");
        assert!(why().unwrap().ends_with("is not enabled"));
        entry("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\noffset 0\n");
        assert!(why().unwrap().contains("no flag F"));
        entry("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\nmagic 7f454c46\n");
        assert_eq!(why(), None);
    }
}
