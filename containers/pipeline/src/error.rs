//! Why the pipeline stopped, and which exit code says so.

use std::path::PathBuf;

use foundation::bytes::ByteSize;

/// A failure of any stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine or a container.
    #[error(transparent)]
    Containers(#[from] engine::Error),
    /// A phase.
    #[error(transparent)]
    Ended(#[from] phases::PhaseError),
    /// A phase has a result, and nothing is on record of it.
    #[error(
        "the cache has a result of the phase {phase}, but no record of it: run `cargo xtask clean`, then the same command again"
    )]
    NoRecord {
        /// The phase.
        phase: String,
    },
    /// There are no tests to run.
    #[error("the recipe {recipe} has no tests: describe upstream's test programs in [check] of its recipe.toml")]
    NoCheck {
        /// The recipe.
        recipe: String,
    },
    /// The recipe does not say what is measured.
    #[error("the recipe {recipe} says nothing of speed: name the files that are edited in [bench] of its recipe.toml")]
    NoBench {
        /// The recipe.
        recipe: String,
    },
    /// There is nothing to measure against.
    #[error(
        "the recipe {recipe} has no row a: describe upstream's own way in [bench.baseline] of its recipe.toml, or leave the row out with --rows"
    )]
    NoBaseline {
        /// The recipe.
        recipe: String,
    },
    /// A row did not measure what it says.
    #[error("row {row} means nothing: {why}")]
    Row {
        /// Its letter.
        row: char,
        /// What happened instead.
        why: String,
    },
    /// Fewer, more or other things are installed than in upstream's own way.
    #[error(
        "what is installed differs from upstream's own way in {differences} places. Correct the build; what is left out on purpose belongs,          with its reason, into bench.baseline.left-out of recipe.toml"
    )]
    Unlike {
        /// How many.
        differences: usize,
    },
    /// There is nothing to measure the governor with.
    #[error(
        "the recipe {recipe} does not say what the governor is measured with: describe it in [bench.governor] of its recipe.toml"
    )]
    NoGovernorBench {
        /// The recipe.
        recipe: String,
    },
    /// The quarantine of tests.
    #[error(transparent)]
    Quarantine(#[from] recipe::quarantine::QuarantineError),
    /// What the bills of materials are made of.
    #[error(transparent)]
    Components(#[from] recipe::components::ComponentsError),
    /// Tests were run on other objects than those that are in the packages.
    #[error("upstream's tests were run on the plan {}, and the packages are of the plan {}: run `cargo xtask package --check`", tested.short(), packed.short())]
    OtherTests {
        /// The plan that was tested.
        tested: foundation::digest::Digest,
        /// The plan of the packages.
        packed: foundation::digest::Digest,
    },
    /// Upstream's tests found the build unsound.
    #[error(
        "{failures} of upstream's tests failed, and {expired} entries of quarantine.toml have expired: nothing was put into dist.\n\
         The results are in {results}", results = results.display()
    )]
    Unsound {
        /// Tests that failed and are not excused.
        failures: usize,
        /// Entries of the quarantine that excuse nothing any more.
        expired: usize,
        /// Where the results are.
        results: PathBuf,
    },
    /// The cache.
    #[error(transparent)]
    Store(#[from] foundation::store::StoreError),
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] recipe::RecipeError),
    /// The build-root lock.
    #[error(transparent)]
    Lock(#[from] recipe::root_lock::LockError),
    /// A configuration file.
    #[error(transparent)]
    Config(#[from] foundation::config::ConfigError),
    /// The changelog.
    #[error(transparent)]
    Changelog(#[from] deb::changelog::ChangelogError),
    /// The source.
    #[error(transparent)]
    Source(#[from] fetch::source::SourceError),
    /// Debian's archive.
    #[error(transparent)]
    Debian(#[from] fetch::debian::DebianError),
    /// A download.
    #[error(transparent)]
    Download(#[from] fetch::download::DownloadError),
    /// The packages' manifest.
    #[error(transparent)]
    Manifest(#[from] deb::manifest::ManifestError),
    /// Stripping and dependencies.
    #[error(transparent)]
    Split(#[from] deb::split::SplitError),
    /// Writing a package.
    #[error(transparent)]
    Deb(#[from] deb::DebError),
    /// Signing.
    #[error(transparent)]
    Sign(#[from] sign::signer::SignError),
    /// An origin signature.
    #[error(transparent)]
    Debsig(#[from] sign::debsig::DebsigError),
    /// Checksums.
    #[error(transparent)]
    Sums(#[from] sign::sums::SumsError),
    /// A source file needs more than there is.
    #[error(
        "the phase {phase} compiles {file}, which takes {needed} even alone and with a frugal compiler, and the budget is {budget}.\n\
         Run it again with `--memory {least}` or more. (Known from {figures})", figures = figures.display()
    )]
    TooLarge {
        /// The phase.
        phase: String,
        /// The source file, or the recipe's pattern of it.
        file: String,
        /// What it takes.
        needed: ByteSize,
        /// The limit.
        budget: ByteSize,
        /// The smallest limit that may do.
        least: String,
        /// Where that is known from.
        figures: PathBuf,
    },
    /// A phase's script failed.
    #[error("the phase {phase} failed with exit status {exit}. Its last lines:\n{tail}{more}\nThe whole log is {log}", log = log.display())]
    Phase {
        /// The phase.
        phase: String,
        /// The exit status.
        exit: i64,
        /// The end of the log.
        tail: String,
        /// What else helps: the relevant lines of config.log.
        more: String,
        /// The log.
        log: PathBuf,
    },
    /// A file of the host cannot be used.
    #[error("cannot {doing} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// `read`, `write`, …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file of the recipe's copy is not the one that was copied.
    #[error("{} in the cache is not what the plan says: somebody wrote there. Run `cargo xtask clean`, then the same command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The packages make no cluster.
    #[error("the recipe {recipe} has no cluster: describe its nodes in [cluster] of its recipe.toml")]
    NoCluster {
        /// The recipe.
        recipe: String,
    },
    /// What was published cannot be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] statements::rebuild::RebuildError),
    /// Another version of this tool built what was published.
    #[error(
        "the packages were built by another version of this tool, so that nothing can be said about them from here: check out {}, and run the same command there",
        revision.as_deref().map_or_else(|| "the revision that was checked out then".to_owned(), |revision| format!("the revision {revision}"))
    )]
    OtherTool {
        /// The revision that built them, where they say it.
        revision: Option<String>,
    },
    /// This checkout builds something else than what was published.
    #[error(
        "the packages were built from the plan {recorded}, and this checkout leads to the plan {here}: nothing can be said about them from here. \
         Check out the commit that they were built from. The plans differ in:{differences}",
        recorded = recorded.short(), here = here.short()
    )]
    OtherPlan {
        /// The plan digest of the packages.
        recorded: foundation::digest::Digest,
        /// The plan digest here.
        here: foundation::digest::Digest,
        /// Where they differ, one a line.
        differences: String,
    },
    /// A variation was asked for that does not act on this host.
    #[error(
        "{aspect} was asked to vary, and a phase sees the same as usual: this host or build root does not allow it. Leave it out with --vary -{aspect}"
    )]
    NotVaried {
        /// What was to vary.
        aspect: phases::circumstances::Aspect,
    },
    /// The rebuild made other packages.
    #[error("{different} of {all} packages are not the same bytes: see {folder}", folder = folder.display())]
    Differs {
        /// Packages that are not the same.
        different: usize,
        /// Packages that were compared.
        all: usize,
        /// Where the report is.
        folder: PathBuf,
    },
    /// apt could not solve the dependencies.
    #[error("apt cannot solve the dependencies of the {what} of {recipe} for {target}:\n{output}\nCorrect {field}")]
    Solve {
        /// Build root or node root.
        what: &'static str,
        /// Where they are written.
        field: &'static str,
        /// The recipe.
        recipe: String,
        /// The target.
        target: String,
        /// What apt said.
        output: String,
    },
}

fn hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull => ". Make room and run the same command again: finished stages are kept",
        PermissionDenied | ReadOnlyFilesystem => ". Make it writable, or choose another folder with --dist",
        _ => "",
    }
}

impl Error {
    /// An error of the file system, named.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// The exit code: 1 failed, 3 a verification failed, 4 no engine.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Containers(engine::Error::NoEngine { .. }) => 4,
            Self::Containers(engine::Error::Verification { .. }) => 3,
            Self::Differs { .. } | Self::OtherTool { .. } | Self::OtherPlan { .. } | Self::Unlike { .. } => 3,
            Self::Rebuild(error) if error.is_verification() => 3,
            Self::Store(error) if error.is_verification() => 3,
            Self::Source(error) if error.is_verification() => 3,
            Self::Debian(error) if error.is_verification() => 3,
            Self::Download(error) if error.is_verification() => 3,
            _ => 1,
        }
    }
}
