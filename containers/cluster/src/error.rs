//! What can go wrong with a cluster, and what to do about it.

use std::path::PathBuf;

use foundation::failure::{self, Failure, Kind, Outcome};

/// A failure around a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the cluster is made from cannot be had.
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    /// The engine or a container failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The cache cannot be read or written.
    #[error(transparent)]
    Store(#[from] foundation::store::StoreError),
    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    Request(String),
    /// A cluster's name that is none.
    #[error("'{0}' is not a cluster's name: write lower-case letters and digits, 20 at most")]
    Name(String),
    /// There is no such cluster.
    #[error("there is no cluster {name}")]
    NoCluster {
        /// The name that was asked for.
        name: String,
    },
    /// There is a cluster of this name already.
    #[error("there is a cluster {name} already, of {recipe}")]
    Exists {
        /// The name of the cluster.
        name: String,
        /// The recipe of the one that exists.
        recipe: String,
    },
    /// There are no packages to install.
    #[error("{} has no packages", dist.display())]
    NoPackages {
        /// The folder that was looked through.
        dist: PathBuf,
        /// Name of the recipe.
        recipe: String,
    },
    /// There is no such node.
    #[error("the cluster {cluster} has no node {node}, only {nodes}")]
    NoNode {
        /// The cluster's name.
        cluster: String,
        /// The name that was asked for.
        node: String,
        /// The names of its nodes, for people.
        nodes: String,
    },
    /// Something on a node failed.
    #[error("{node}: {step} failed with exit status {exit}. Its last lines:\n{tail}")]
    Step {
        /// The node's name, or what stands for it.
        node: String,
        /// What was attempted.
        step: String,
        /// The exit status of the script.
        exit: i64,
        /// The last lines of its output.
        tail: String,
    },
    /// Something on a node did not fail, and did not do what it should either.
    #[error("{node}: {step}: {found}")]
    Wrong {
        /// The node's name, or what stands for it.
        node: String,
        /// What was attempted.
        step: String,
        /// What was found instead.
        found: String,
    },
    /// A program of this host is not there.
    #[error("{program} cannot be run: {why}")]
    NoProgram {
        /// The program.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
        /// The operating system's error.
        why: String,
    },
    /// Things on several nodes failed, each said as the others are.
    #[error("{0}")]
    Several(String),
    /// Something did not come about in time.
    #[error("{what} within {seconds} s: {found}")]
    Late {
        /// What was waited for, as `no leader was elected`.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
        /// What was seen last.
        found: String,
    },
    /// A cluster did not come up; its nodes are left for looking at them.
    #[error("{why}")]
    NotUp {
        /// The cluster's name.
        name: String,
        /// What went wrong.
        why: Box<Error>,
    },
    /// A file cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was attempted: `read`, `write`…
        doing: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Failure for Error {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Pipeline(error) => error.outcome(),
            Self::Engine(error) => error.outcome(),
            Self::Store(error) => error.outcome(),
            Self::Request(_) | Self::Name(_) => Kind::Usage.plain(),
            Self::NoCluster { name } => {
                Kind::Input.next(format!("make it with `cargo xtask cluster up --name {name}`"))
            }
            Self::Exists { name, .. } => Kind::Input.next(format!(
                "remove it with `cargo xtask cluster down --name {name}`, or make a second one with another --name"
            )),
            Self::NoPackages { recipe, .. } => Kind::Input.next(format!(
                "make them with `cargo xtask package --recipe {recipe}`, or name another folder with --dist"
            )),
            Self::NoNode { .. } => Kind::Input.next("name one of these"),
            Self::NoProgram { package, .. } => {
                Kind::Failed.next(format!("install it: as root, `apt-get install --no-install-recommends {package}`"))
            }
            Self::Step { .. } | Self::Wrong { .. } | Self::Several(_) | Self::Late { .. } => Kind::Failed.plain(),
            Self::NotUp { name, why } => {
                let nodes = format!(
                    "the nodes are left as they are: `cargo xtask cluster status`, `logs NODE` and `exec NODE -- COMMAND` \
                     show more, `down` removes them (each with --name {name})"
                );
                let Outcome { kind, next } = why.outcome();
                kind.next(next.map_or_else(|| nodes.clone(), |next| format!("{next}\n{nodes}")))
            }
            Self::Io { source, .. } => failure::of_file(source),
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
