//! The machine that compiles: figures mean nothing without it.

use std::collections::BTreeMap;

use engine::Engine;
use engine::once::run_once;
use pipeline::Error;
use serde::{Deserialize, Serialize};

/// The machine that compiles, which with a remote engine is not the one that the tool runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// The name of its processor's model, as the kernel has it.
    pub cpu: String,
    /// How many processors it has.
    pub processors: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// The release of its kernel, such as `6.1.0-18-amd64`.
    pub kernel: String,
    /// The engine with its version and storage driver.
    pub engine: String,
}

/// Not every architecture has `model name`.
const SCRIPT: &[u8] = b"uname -r\nsed -n 's/^\\(model name\\|Model\\|cpu model\\)[[:space:]]*: *//p' /proc/cpuinfo\n";

impl Machine {
    /// Asks the engine, and the machine's kernel in a container of this image.
    ///
    /// # Errors
    /// The engine does not answer, or cannot run the container.
    pub async fn of(engine: &Engine, image: &str) -> Result<Self, Error> {
        let info = engine.info().await?;
        let output = run_once(engine, image, SCRIPT, &[], &BTreeMap::new(), false).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().map(str::trim);
        let kernel = lines.next().unwrap_or("unknown").to_owned();
        Ok(Self {
            cpu: lines.next().unwrap_or("unknown").to_owned(),
            processors: info.cpus,
            memory: info.memory_bytes,
            kernel,
            engine: format!("{} {} ({})", info.name, info.version, info.storage_driver),
        })
    }
}
