//! The compile farm: phases have files compiled by distcc on other machines, and the same bytes come out.
//!
//! ```text
//! phase (no network)      gateway                      worker: relay            compiler (no network)
//!   compile -> distcc -> socket -> socat -> TCP … TCP -> socat -> socket -> socat -> distccd -> cc
//! ```
//!
//! Neither the container that builds nor the one that compiles for it has a network: each reaches a socket in a volume,
//! and a container beside it hands the connection on. What is sent is a source file in which the directives are carried
//! out and the macros are not (`assets/farm/compile` has why); what comes back is an object file. A worker's
//! compilers are found under a path with the digest of its build root, so that one with another build root refuses.
//!
//! The farm decides where something is compiled, not what is written: it is no part of the plan.

mod address;
mod error;
mod gateway;
mod shares;
mod worker;

use std::path::PathBuf;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use engine::container::Container;
use engine::transfer::{BUILDER, Content, Upload, put};
use engine::{Engine, Error};
use foundation::digest::Digest;
use recipe::root_lock::PinnedDeb;
use roots::build_root::BuildRoot;

pub use address::{Listen, Range, WorkerAddress, jobs};
pub use error::FarmError;
pub use gateway::{Access, Answer, Gateway};
pub use shares::Shares;
pub use worker::{WorkerOptions, serve};

/// The port that distcc has at IANA.
pub const PORT: u16 = 3632;

/// The folder of the farm's programs, packages and sockets, in every container that takes part.
const FOLDER: &str = "/build/farm";

const TOOL: &str = include_str!("../assets/tool");
const SCRIPTS: [(&str, &str); 6] = [
    ("compile", include_str!("../assets/compile")),
    ("connect", include_str!("../assets/connect")),
    ("unpack.sh", include_str!("../assets/unpack.sh")),
    ("gateway.sh", include_str!("../assets/gateway.sh")),
    ("relay.sh", include_str!("../assets/relay.sh")),
    ("worker.sh", include_str!("../assets/worker.sh")),
];

/// The folder where a worker has the compilers of this build root.
fn compilers(root: &Digest) -> String {
    format!("{FOLDER}/root-{root}")
}

/// Makes a container with a network and the farm's volume: the others use its volume, and reach the network through it
/// only. It lives as long as this value.
async fn with_network(
    engine: &Engine,
    root: &BuildRoot,
    debs: &[(PinnedDeb, PathBuf)],
    command: Vec<String>,
    host: HostConfig,
) -> Result<Container, Error> {
    let ports = host.port_bindings.as_ref().map(|bound| bound.keys().cloned().collect());
    let mut body = body(root, command, host);
    body.exposed_ports = ports;
    let host = body.host_config.get_or_insert_default();
    host.network_mode = Some("bridge".into());
    // Workers have names.
    (host.dns, host.dns_search) = (None, None);
    host.mounts = Some(vec![Mount { typ: Some(MountType::VOLUME), target: Some(FOLDER.into()), ..Mount::default() }]);
    let container = Container::create(engine, "farm", body).await?;
    let mut uploads: Vec<Upload> =
        SCRIPTS.iter().map(|(name, content)| Upload::bytes(format!("{FOLDER}/{name}"), *content, 0o755)).collect();
    uploads.extend(["distcc", "distccd", "socat"].map(|name| Upload::bytes(format!("{FOLDER}/{name}"), TOOL, 0o755)));
    uploads.push(Upload::bytes(format!("{FOLDER}/sockets/.keep"), "", 0o644));
    uploads.extend(debs.iter().map(|(deb, path)| Upload {
        path: format!("{FOLDER}/debs/{}.deb", deb.name),
        content: Content::File(path.clone()),
        mode: 0o644,
    }));
    put(engine, &container, "/build", uploads, BUILDER).await?;
    Ok(container)
}

/// What every container of the farm has: the build root, and no privileges.
fn body(root: &BuildRoot, command: Vec<String>, mut host: HostConfig) -> ContainerCreateBody {
    host.cap_drop = Some(vec!["ALL".into()]);
    host.pids_limit = Some(4096);
    let mut all: Vec<String> = ["-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"].map(str::to_owned).into();
    all.push(format!("FARM_COMPILERS={}", compilers(&root.digest)));
    all.push("/bin/sh".into());
    all.extend(command);
    ContainerCreateBody {
        image: Some(root.image.clone()),
        entrypoint: Some(vec!["/usr/bin/env".into()]),
        cmd: Some(all),
        user: Some(format!("{BUILDER}:{BUILDER}")),
        working_dir: Some("/tmp".into()),
        hostname: Some("farm".into()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// The lines of a container's output, until one of them is `ready`, which is not among them.
async fn until_ready(
    output: &mut futures_util::stream::BoxStream<
        'static,
        Result<bollard::container::LogOutput, bollard::errors::Error>,
    >,
) -> Result<Vec<String>, String> {
    use futures_util::StreamExt;
    let mut text = String::new();
    while let Some(Ok(piece)) = output.next().await {
        text += &String::from_utf8_lossy(piece.as_ref());
        if let Some((before, _)) = text.split_once("ready\n") {
            return Ok(before.lines().map(str::to_owned).collect());
        }
    }
    Err(text)
}

/// The error of a container that ended instead of becoming ready.
fn not_ready(what: &str, output: &str) -> Error {
    Error::Engine { doing: format!("starting {what}"), why: format!("its container ended: {}", output.trim()) }
}
