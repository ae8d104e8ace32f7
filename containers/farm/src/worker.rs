//! A worker: compiles for others, in the build root.

use std::path::PathBuf;

use bollard::models::PortBinding;
use engine::container::{Container, isolated};
use engine::{Engine, Error};
use futures_util::StreamExt;
use recipe::root_lock::PinnedDeb;
use roots::build_root::BuildRoot;

use super::{Listen, Range, body, not_ready, until_ready, with_network};

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Where the worker listens.
    pub listen: Listen,
    /// How many files it compiles at once.
    pub jobs: u32,
    /// Memory for all of them together, in bytes.
    pub memory: u64,
    /// Only these addresses may ask; none means everybody who reaches the port.
    pub allow: Option<Range>,
}

/// Compiles for others until its containers end or this is dropped; tells when it listens, and of every file that it
/// compiled. `debs` are the packages of the farm's programs.
///
/// # Errors
/// The address cannot be listened at, the engine cannot make or run the containers, or they end, which is always an
/// error.
pub async fn serve(
    engine: &Engine,
    root: &BuildRoot,
    debs: &[(PinnedDeb, PathBuf)],
    options: &WorkerOptions,
    listening: impl FnOnce(),
    compiled: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let port = format!("{}/tcp", super::PORT);
    let address = options.listen.0;
    let binding = PortBinding { host_ip: Some(address.ip().to_string()), host_port: Some(address.port().to_string()) };
    let mut outside = isolated(engine);
    outside.port_bindings = Some([(port, Some(vec![binding]))].into());
    let range = options.allow.as_ref().map(|range| format!(",range={range}")).unwrap_or_default();
    let relay = with_network(engine, root, debs, vec![format!("{}/relay.sh", super::FOLDER), range], outside).await?;
    let mut output = relay.start("the worker's relay").await?;
    until_ready(&mut output).await.map_err(|output| not_ready("the worker's relay", &output))?;

    let mut inside = isolated(engine);
    inside.volumes_from = Some(vec![relay.id.clone()]);
    inside.readonly_rootfs = Some(true);
    // As in a phase: a worker that swaps takes its machine with it.
    inside.memory = Some(i64::try_from(options.memory).unwrap_or(i64::MAX));
    inside.memory_swap = inside.memory;
    // What lies there counts as the container's memory: sources as text and objects, tens of megabytes each.
    inside.tmpfs = Some([("/tmp".to_owned(), "rw,exec,nosuid,nodev,mode=1777".to_owned())].into());
    let command = vec![format!("{}/worker.sh", super::FOLDER), options.jobs.to_string()];
    let compiler = Container::create(engine, "farm", body(root, command, inside)).await?;
    let mut lines = compiler.start("the worker").await?;
    listening();
    let mut text = String::new();
    while let Some(Ok(piece)) = lines.next().await {
        text += &String::from_utf8_lossy(piece.as_ref());
        while let Some((line, rest)) = text.split_once('\n') {
            if let Some((_, job)) = line.split_once("(dcc_job_summary) ") {
                compiled(job);
            }
            text = rest.to_owned();
        }
    }
    let state = compiler.ended("the worker").await?;
    Err(Error::KilledFromOutside { name: "the worker".into(), exit: state.exit_code.unwrap_or(-1) })
}
