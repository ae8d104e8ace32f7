//! One script in a throw-away container without network.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::Error;
use crate::transfer::Upload;

/// What a script printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit status.
    pub exit: i64,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs a POSIX shell script in a new container of `image`, without network, and removes it.
/// The root file system is writable; `as_root` false means 1000:1000.
pub async fn run_once(
    engine: &Engine,
    image: &str,
    script: &[u8],
    uploads: &[Upload],
    env: &BTreeMap<String, String>,
    as_root: bool,
) -> Result<Output, Error> {
    let _ = (engine, image, script, uploads, env, as_root);
    todo!()
}
