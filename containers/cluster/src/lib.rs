//! Clusters of the packages: containers with systemd or virtual machines, in which apt installs what was built, in a
//! network of their own.
//!
//! ```text
//! recipe's [cluster] + dist -> Draft, on a Ground -> up -> ClusterRecord, kept in the store until down
//! ```
//!
//! Nothing of a cluster carries the label of a run: it stays when the run that made it ends, until it is removed by its
//! own label. What differs between recipes is data: see [`recipe::cluster`].

mod accelerator;
mod draft;
mod error;
mod gate;
mod ground;
mod layout;
mod machine;
mod masters;
mod names;
mod node;
mod qmp;
mod record;
mod repository;
mod scenario;
mod seed;
mod status;
mod up;

use foundation::store::Store;

/// A piece of what a command on a node printed.
pub use bollard::container::LogOutput as Piece;
pub use draft::{Draft, Request};
pub use error::Error;
pub use ground::{Ground, MachineOptions};
pub use layout::Size;
pub use record::{ClusterName, ClusterRecord, NodeRecord, lock};
pub use scenario::{Finding, Scenario, results_beside, test};
pub use status::{NodeStatus, Status, UnitStatus, exec, logs, status};
pub use up::up;

use engine::Engine;
use names::Names;

/// Removes a cluster, also one that was never finished; returns how many virtual machines, containers, networks and volumes
/// it had.
///
/// # Errors
/// The engine cannot remove a part of it within 20 seconds, or the record cannot be removed.
pub async fn down(engine: &Engine, store: &Store, name: &ClusterName) -> Result<usize, Error> {
    let machines = ground::end_machines(store, name).await?;
    let removed = machines + Names::new(store, name).remove_all(engine).await?;
    ClusterRecord::forget(store, name)?;
    Ok(removed)
}
