//! Why the pipeline stopped.

use std::path::{Path, PathBuf};

use foundation::bytes::ByteSize;
use foundation::failure::{self, Failure, Kind, Outcome};
use phases::first_error::FirstError;

/// A failure of any stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine or a container failed.
    #[error(transparent)]
    Containers(#[from] engine::Error),
    /// A phase did not end.
    #[error(transparent)]
    Ended(#[from] phases::PhaseError),
    /// No machine, or not this one, has what was asked for.
    #[error(transparent)]
    TooMuch(#[from] phases::usage::TooMuch),
    /// A phase has a result, and nothing is on record of it.
    #[error("the cache has a result of the phase {phase}, but no record of it")]
    NoRecord {
        /// The phase without a record.
        phase: String,
    },
    /// There are no tests to run.
    #[error("the recipe {recipe} has no tests")]
    NoCheck {
        /// Name of the recipe.
        recipe: String,
    },
    /// Results of others must not be taken, or cannot be shared.
    #[error(transparent)]
    Results(#[from] results::ResultsError),
    /// The compile farm cannot be used.
    #[error(transparent)]
    Farm(#[from] farm::FarmError),
    /// The quarantine of tests cannot be read.
    #[error(transparent)]
    Quarantine(#[from] recipe::quarantine::QuarantineError),
    /// `components.toml`, which the bills of materials are made of, cannot be used.
    #[error(transparent)]
    Components(#[from] recipe::components::ComponentsError),
    /// Tests were run on other objects than those that are in the packages.
    #[error("upstream's tests were run on the plan {}, and the packages are of the plan {}", tested.short(), packed.short())]
    OtherTests {
        /// Digest of the plan that was tested.
        tested: foundation::digest::Digest,
        /// Digest of the plan of the packages.
        packed: foundation::digest::Digest,
    },
    /// Upstream's tests found the build unsound.
    #[error(
        "{failures} of upstream's tests failed, and {expired} entries of quarantine.toml have expired: nothing was put into dist"
    )]
    Unsound {
        /// How many tests failed that are not excused.
        failures: usize,
        /// How many entries of the quarantine have expired.
        expired: usize,
        /// The folder with the results.
        results: PathBuf,
    },
    /// The cache cannot be read or written.
    #[error(transparent)]
    Store(#[from] foundation::store::StoreError),
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] recipe::RecipeError),
    /// The lock of a root cannot be used.
    #[error(transparent)]
    Lock(#[from] recipe::root_lock::LockError),
    /// A file of the recipe's copy cannot be used.
    #[error("{told}")]
    InRecipe {
        /// What is wrong, with the file's name in the recipe itself.
        told: String,
        /// The error that names the copy.
        error: Box<Self>,
    },
    /// A configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] foundation::config::ConfigError),
    /// The changelog cannot be used.
    #[error(transparent)]
    Changelog(#[from] deb::changelog::ChangelogError),
    /// The source cannot be had, or is not what the recipe asks for.
    #[error(transparent)]
    Source(#[from] fetch::source::SourceError),
    /// Debian's archive does not have what is needed, or cannot be trusted.
    #[error(transparent)]
    Debian(#[from] fetch::debian::DebianError),
    /// The same, with the place in the target's file that it is about.
    #[error("{place}: {error}")]
    InTarget {
        /// The target's file, and the line where that is easy to find.
        place: String,
        /// What is wrong.
        error: Box<fetch::debian::DebianError>,
    },
    /// A download failed.
    #[error(transparent)]
    Download(#[from] fetch::download::DownloadError),
    /// The packages' manifest cannot be used, or does not fit the staged tree.
    #[error(transparent)]
    Manifest(#[from] deb::manifest::ManifestError),
    /// What separates debug symbols and finds dependencies left no usable result.
    #[error(transparent)]
    Split(#[from] deb::split::SplitError),
    /// A package cannot be written.
    #[error(transparent)]
    Deb(#[from] deb::DebError),
    /// The key cannot be used, or gpg failed.
    #[error(transparent)]
    Sign(#[from] sign::signer::SignError),
    /// A package's origin signature cannot be made.
    #[error(transparent)]
    Debsig(#[from] sign::debsig::DebsigError),
    /// The list of checksums cannot be made.
    #[error(transparent)]
    Sums(#[from] sign::sums::SumsError),
    /// What was just signed is not what it should be.
    #[error("what was signed just now is refused by whoever checks it, and nothing was put into dist: {0}")]
    Signed(#[from] statements::verify::VerifyError),
    /// A source file needs more than there is.
    #[error(
        "the phase {phase} compiles {file}, which takes {needed} even alone and with a frugal compiler (known from {figures}), \
         and the budget is {budget}", figures = figures.display()
    )]
    TooLarge {
        /// Name of the phase.
        phase: String,
        /// The source file, or the recipe's pattern of it.
        file: String,
        /// Memory that the file takes.
        needed: ByteSize,
        /// The memory budget that it does not fit into.
        budget: ByteSize,
        /// The smallest budget that may do, as `--memory` takes it.
        least: String,
        /// The file where that is known from.
        figures: PathBuf,
    },
    /// A phase's script failed.
    #[error("the phase {phase} failed with exit status {exit}. {}Its last lines:\n{tail}{more}", first_error(first.as_ref(), log))]
    Phase {
        /// Name of the phase.
        phase: String,
        /// The exit status of its script.
        exit: i64,
        /// The first error of the log; none where the last lines have it, or no line is marked as one.
        first: Option<FirstError>,
        /// The last lines of the log.
        tail: String,
        /// What else helps: the relevant lines of config.log.
        more: String,
        /// The file with the whole log.
        log: PathBuf,
        /// The folder with what else is kept of it, where its container can be opened.
        kept: Option<PathBuf>,
    },
    /// No phase failed whose container could be opened.
    #[error("{}", no_failed_phase(phase.as_deref(), known))]
    NoFailedPhase {
        /// The phase that was asked for; none means the latest.
        phase: Option<String>,
        /// The names of the phases that failed, for people; empty if there are none.
        known: String,
    },
    /// The plan has no such stage.
    #[error("{recipe} has no stage {stage}; it has {known}")]
    NoStage {
        /// The name that was asked for.
        stage: String,
        /// The recipe.
        recipe: String,
        /// The stages that there are.
        known: String,
    },
    /// What a failed phase left is gone.
    #[error("what the phase {phase} left is gone from the engine: somebody removed the {what}")]
    FailedPhaseGone {
        /// Name of the phase.
        phase: String,
        /// The volume or the image that is gone, with its name.
        what: String,
    },
    /// A file of the host cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was attempted: `read`, `write`, …
        doing: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file of the recipe's copy is not the one that was copied.
    #[error("{} in the cache is not what the plan says: somebody wrote there", path.display())]
    Changed {
        /// The file that was changed.
        path: PathBuf,
    },
    /// The packages make no cluster.
    #[error("the recipe {recipe} has no cluster")]
    NoCluster {
        /// Name of the recipe.
        recipe: String,
    },
    /// The target has no virtual machines.
    #[error("the target {target} names no kernel for virtual machines")]
    NoMachine {
        /// The target.
        target: recipe::target::TargetName,
    },
    /// What was published cannot be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] statements::rebuild::RebuildError),
    /// Another version of this tool built what was published.
    #[error(
        "the packages were built by another version of this tool, so that nothing can be said about them from here"
    )]
    OtherTool {
        /// The git revision that built them, where they say it.
        revision: Option<String>,
    },
    /// This checkout builds something else than what was published.
    #[error(
        "the packages were built from the plan {recorded}, and this checkout leads to the plan {here}, so that nothing can be \
         said about them from here. The plans differ in:{differences}",
        recorded = recorded.short(), here = here.short()
    )]
    OtherPlan {
        /// Digest of the plan that the packages say they are of.
        recorded: foundation::digest::Digest,
        /// Digest of the plan that this checkout leads to.
        here: foundation::digest::Digest,
        /// Where they differ, one a line.
        differences: String,
    },
    /// A variation was asked for that does not act on this host.
    #[error(
        "{aspect} was asked to vary, and a phase sees the same as usual: this host or build root does not allow it"
    )]
    NotVaried {
        /// The aspect that was to vary.
        aspect: phases::circumstances::Aspect,
    },
    /// The rebuild made other packages.
    #[error("{different} of {all} packages are not the same bytes as those that were published")]
    Differs {
        /// How many packages are not the same.
        different: usize,
        /// How many packages were compared.
        all: usize,
        /// The folder with the report.
        folder: PathBuf,
    },
    /// apt could not solve the dependencies.
    #[error("apt cannot solve the dependencies of the {what} of {recipe} for {target}:\n{output}")]
    Solve {
        /// Name of the root whose packages are asked for, such as `build root`.
        what: &'static str,
        /// Where these packages are written down.
        field: &'static str,
        /// Name of the recipe.
        recipe: String,
        /// Name of the target, such as `debian-12/amd64`.
        target: String,
        /// What apt printed.
        output: String,
    },
    /// A lock for another architecture than the engine's is made by the same release's apt, and there is none.
    #[error(
        "the lock of {target} is made by the apt of the same release on the engine's own architecture, {machine}, and that is not \
             here: {why}"
    )]
    NoSolver {
        /// The target.
        target: recipe::target::TargetName,
        /// The architecture of the engine's machine.
        machine: String,
        /// Why there is no target for it.
        why: String,
    },
}

impl Failure for Error {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Containers(error) => error.outcome(),
            Self::Ended(error) => error.outcome(),
            Self::TooMuch(_) => Kind::Usage.plain(),
            Self::Results(error) => error.outcome(),
            Self::Farm(error) => error.outcome(),
            Self::Quarantine(error) => error.outcome(),
            Self::Components(error) => error.outcome(),
            Self::Store(error) => error.outcome(),
            Self::Recipe(error) => error.outcome(),
            Self::Lock(error) => error.outcome(),
            Self::Config(error) => error.outcome(),
            Self::InRecipe { error, .. } => error.outcome(),
            Self::Changelog(error) => error.outcome(),
            Self::Source(error) => error.outcome(),
            Self::Debian(error) => error.outcome(),
            Self::InTarget { error, .. } => error.outcome(),
            Self::Download(error) => error.outcome(),
            Self::Manifest(error) => error.outcome(),
            Self::Split(error) => error.outcome(),
            Self::Deb(error) => error.outcome(),
            Self::Sign(error) => error.outcome(),
            Self::Debsig(error) => error.outcome(),
            Self::Sums(error) => error.outcome(),
            Self::Rebuild(error) => error.outcome(),
            Self::Signed(_) => Kind::Failed.next(
                "look at the key with `gpg --list-keys --with-subkey-fingerprints` and at what replaces gpg on the PATH, \
                 or sign with a development key (without --key)",
            ),
            Self::NoRecord { .. } | Self::Changed { .. } => {
                Kind::Failed.next("run `cargo xtask clean`, then the same command again")
            }
            Self::NoCheck { .. } => Kind::Input.next("describe upstream's test programs in [check] of its recipe.toml"),
            Self::NoCluster { .. } => Kind::Input.next("describe its nodes in [cluster] of its recipe.toml"),
            Self::NoMachine { .. } => Kind::Input.next(
                "name its packages as `machine` in the target's file, as containers/targets/debian-13-amd64.toml does, or leave out --vm",
            ),
            Self::OtherTests { .. } => Kind::Failed.next("run `cargo xtask package --check`"),
            Self::Unsound { results, .. } => Kind::Failed.next(format!("the results are in {}", results.display())),
            Self::TooLarge { least, .. } => Kind::Failed.next(format!("run it again with `--memory {least}` or more")),
            Self::Phase { log, kept: None, .. } => Kind::Failed.next(format!("the whole log is {}", log.display())),
            Self::Phase { phase, log, kept: Some(kept), .. } => Kind::Failed.next(format!(
                "the whole log is {}, what else tells of it is kept in {}, and `cargo xtask shell {phase}` opens the container as \
                 it was",
                log.display(),
                kept.display()
            )),
            Self::NoFailedPhase { .. } | Self::NoStage { .. } => Kind::Usage.plain(),
            Self::FailedPhaseGone { .. } => Kind::Failed.next("run `cargo xtask package` again, which runs it anew"),
            Self::Io { source, .. } => failure::of_place(source, "or choose another folder with --dist"),
            Self::OtherTool { revision } => Kind::Verification.next(format!(
                "check out {}, and run the same command there",
                match revision {
                    Some(revision) => format!("the revision {revision}"),
                    None => "the revision that was checked out then".to_owned(),
                }
            )),
            Self::OtherPlan { .. } => Kind::Verification.next("check out the commit that they were built from"),
            Self::NotVaried { aspect } => Kind::Failed.next(format!("leave it out with --vary -{aspect}")),
            Self::Differs { folder, .. } => {
                Kind::Verification.next(format!("the report of what differs is in {}", folder.display()))
            }
            Self::NoSolver { target, machine, .. } => Kind::Input.next(format!(
                "make that target first (`cargo xtask target new`), or point DOCKER_HOST to an engine on a machine that is {}, not {machine}",
                target.architecture()
            )),
            Self::Solve { field, .. } => Kind::Input.next(format!("correct {field}")),
        }
    }
}

/// The first error of a log, with its place there.
fn first_error(first: Option<&FirstError>, log: &Path) -> String {
    let told = |FirstError { line, excerpt }: &FirstError| {
        format!("The first error, line {line} of {}:\n{excerpt}\n", log.display())
    };
    first.map_or_else(String::new, told)
}

fn no_failed_phase(phase: Option<&str>, known: &str) -> String {
    match (phase, known) {
        (Some(phase), "") => {
            format!("the phase {phase} has not failed since the last `clean` or its last run: there is none to open")
        }
        (Some(phase), known) => format!("the phase {phase} has not failed since its last run: there is {known}"),
        (None, _) => {
            "no phase has failed since the last `clean`, or it was run again since: there is none to open".to_owned()
        }
    }
}

impl Error {
    /// Makes the error of an operation on the file system, which says what was attempted on which path.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
