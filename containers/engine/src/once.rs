//! One script in a throw-away container without network.

use std::collections::BTreeMap;

use bollard::container::LogOutput;
use bollard::models::ContainerCreateBody;

use crate::container::{Container, isolated, mount};
use crate::transfer::{BUILDER, Upload, put};
use crate::{Engine, Error};

/// What a script printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit status of the script.
    pub exit: i64,
    /// Standard output, as bytes.
    pub stdout: Vec<u8>,
    /// Standard error, as bytes.
    pub stderr: Vec<u8>,
}

/// Where the script is put; a name that no package ships.
const SCRIPT: &str = "/.run-once";

/// Runs a POSIX shell script in a new container of `image`, without network, and removes the container. The root file
/// system is writable; where `as_root` is false, the script runs as user and group 1000.
///
/// # Errors
/// The engine refuses the container or is lost, an upload cannot be read, or somebody else removed the container. A
/// script that fails is no error: [`Output::exit`] says so.
pub async fn run_once(
    engine: &Engine,
    image: &str,
    script: &[u8],
    uploads: &[Upload],
    env: &BTreeMap<String, String>,
    as_root: bool,
) -> Result<Output, Error> {
    run_once_with_volumes(engine, image, script, uploads, env, as_root, &[]).await
}

/// Runs a script like [`run_once`], with named volumes mounted: pairs of a volume's name and a path.
///
/// # Errors
/// As for [`run_once`].
pub async fn run_once_with_volumes(
    engine: &Engine,
    image: &str,
    script: &[u8],
    uploads: &[Upload],
    env: &BTreeMap<String, String>,
    as_root: bool,
    volumes: &[(&str, &str)],
) -> Result<Output, Error> {
    let mut host = isolated(engine);
    host.mounts = Some(volumes.iter().map(|(volume, path)| mount(volume, path)).collect());
    host.cap_drop = (!as_root).then(|| vec!["ALL".into()]);
    let user = if as_root { 0 } else { BUILDER };
    let mut command =
        vec!["-i".to_owned(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin".into(), "LC_ALL=C.UTF-8".into(), "TZ=UTC".into()];
    command.extend(env.iter().map(|(key, value)| format!("{key}={value}")));
    command.extend(["/bin/sh".into(), SCRIPT.into()]);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["/usr/bin/env".into()]),
        cmd: Some(command),
        user: Some(format!("{user}:{user}")),
        working_dir: Some("/".into()),
        hostname: Some("build".into()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = Container::create(engine, "once", body).await?;
    put(engine, &container, "/", vec![Upload::bytes(SCRIPT, script, 0o644)], 0).await?;
    if !uploads.is_empty() {
        put(engine, &container, "/", uploads.to_vec(), if as_root { 0 } else { BUILDER }).await?;
    }
    let mut output = Output { exit: 0, stdout: Vec::new(), stderr: Vec::new() };
    let state = container
        .run("a script", |piece| match piece {
            LogOutput::StdErr { message } => output.stderr.extend_from_slice(&message),
            other => output.stdout.extend_from_slice(other.as_ref()),
        })
        .await?;
    output.exit = state.exit_code.unwrap_or(-1);
    container.remove().await?;
    Ok(output)
}
