//! Names of everything that this tool makes in an engine: whoever makes something and whoever looks for it, or removes it, ask
//! here. What belongs to one store has the store's id in its name, so that no store removes what is another's.

use foundation::digest::Digest;
use foundation::store::Store;

/// Label of the run that made something: what a dead run left is found by it.
pub const LABEL_RUN: &str = "org.mesos-packages.run";
/// Label of what something is for: one of the kinds below, or the name of the command that made it.
pub const LABEL_KIND: &str = "org.mesos-packages.kind";
/// Label of the digest that something was made for.
pub const LABEL_KEY: &str = "org.mesos-packages.key";
/// Label of the digest of an image's root file system.
pub const LABEL_DIGEST: &str = "org.mesos-packages.digest";
/// Label of the cluster that something belongs to. Not that of a run: a cluster stays when the run that made it ends.
pub const LABEL_CLUSTER: &str = "org.mesos-packages.cluster";

/// Kind of a compiler cache's volume.
pub const KIND_COMPILER_CACHE: &str = "ccache";
/// Kind of what is removed when its run has ended.
pub const KIND_TEMPORARY: &str = "temporary";

/// What the names of a store's volumes begin with.
pub fn of_store(store: &Store) -> String {
    format!("mesos-packages-{}-", store.id())
}

/// What the names of a store's volumes for a recipe begin with; what each is for follows.
pub fn of_recipe(store: &Store, recipe: &str) -> String {
    format!("{}{recipe}-", of_store(store))
}

/// The name of the volume with a store's own compiler cache.
pub fn own_compiler_cache(store: &Store) -> String {
    format!("{}ccache", of_store(store))
}

/// The name of the volume with the compiler cache that all stores share for the build root with this digest.
pub fn shared_compiler_cache(root: &Digest) -> String {
    format!("mesos-packages-ccache-{}", root.short())
}

/// The name of an image of this kind. `tag` tells it from others of its kind.
pub fn image(kind: &str, tag: &str) -> String {
    format!("mesos-packages/{kind}:{tag}")
}

/// What the names of a cluster's containers, volume and network begin with.
pub fn of_cluster(store: &str, cluster: &str) -> String {
    format!("mesos-cluster-{store}-{cluster}")
}
