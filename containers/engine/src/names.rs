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
/// Label of the target that a phase's volume is of. Its name does not say it: volumes of before there was this label stay what they are.
pub const LABEL_TARGET: &str = "org.mesos-packages.target";
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

/// The name of the volume with the result of a recipe's phase.
pub fn of_phase(store: &Store, recipe: &str, phase: &str, key: &Digest) -> String {
    format!("{}{phase}-{}", of_recipe(store, recipe), key.short())
}

/// Whether a volume's name is one that [`of_phase`] gives for this recipe, whatever the key. Recipes and phases have hyphens in
/// their names, and `mesos-1.7.3-build-KEY` is the recipe `mesos-1.7.3`'s: a phase with a hyphen has to be one of `phases`,
/// those that the recipe has. Without one it may also be a phase that the recipe had once.
pub fn is_of_phase(store: &Store, recipe: &str, phases: &[&str], name: &str) -> bool {
    let parts = name.strip_prefix(&of_recipe(store, recipe)).and_then(|rest| rest.rsplit_once('-'));
    parts.is_some_and(|(phase, _)| phases.contains(&phase) || !phase.contains('-'))
}

/// The name of the volume with a store's own compiler cache.
pub fn own_compiler_cache(store: &Store) -> String {
    format!("{}ccache", of_store(store))
}

/// The name of the volume with the compiler cache that all stores share for the build root with this digest.
pub fn shared_compiler_cache(root: &Digest) -> String {
    format!("mesos-packages-ccache-{}", root.short())
}

/// The name of the volume with the compiler cache that a store took from others for the build root with this digest.
pub fn compiler_cache_of_others(store: &Store, root: &Digest) -> String {
    format!("{}ccache-of-others-{}", of_store(store), root.short())
}

/// The name of an image of this kind. `tag` tells it from others of its kind.
pub fn image(kind: &str, tag: &str) -> String {
    format!("mesos-packages/{kind}:{tag}")
}

/// What the names of a cluster's containers, volume and network begin with.
pub fn of_cluster(store: &str, cluster: &str) -> String {
    format!("mesos-cluster-{store}-{cluster}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volumes_of_a_recipe_are_not_those_of_one_whose_name_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(folder.path())).unwrap();
        let (key, phases) = (Digest::of("key"), ["build", "build-more"]);
        let is = |recipe: &str, name: &str| is_of_phase(&store, recipe, &phases, name);
        for recipe in ["mesos", "mesos-1.7.3", "mesos-1"] {
            for phase in ["build", "build-more", "formerly"] {
                let name = of_phase(&store, recipe, phase, &key);
                for other in ["mesos", "mesos-1.7.3", "mesos-1", "meso"] {
                    assert_eq!(is(other, &name), other == recipe, "{name} of {other}");
                }
            }
        }
        assert!(!is("mesos", &of_phase(&store, "mesos", "formerly-more", &key)), "it may be another recipe's");
        let elsewhere = tempfile::tempdir().unwrap();
        let another = Store::open(Some(elsewhere.path())).unwrap();
        assert!(!is("mesos", &of_phase(&another, "mesos", "build", &key)));
    }
}
