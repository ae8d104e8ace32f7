//! What a phase's script finds around it: root, volume, environment, user and limits. They are plain data, so that somebody who
//! wants to see why a phase failed can be put into the very same ones.

use std::collections::BTreeMap;

use bollard::models::ContainerCreateBody;
use engine::Engine;
use engine::container::{isolated, limits, mount};
use serde::{Deserialize, Serialize};

use crate::circumstances::Circumstances;
use crate::phase::PhaseSpec;
use crate::usage::margin;

const PATH: &str = "/build/bin:/build/recipe/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MIB: u64 = 1 << 20;

/// What a phase's script finds around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Surroundings {
    /// The name of the build root's image in the engine.
    pub image: String,
    /// Name of the volume mounted at `/build`.
    pub volume: String,
    /// Name of the volume mounted at `/ccache`, with the compiler cache.
    pub cache_volume: Option<String>,
    /// The whole environment: variables and their values.
    pub environment: BTreeMap<String, String>,
    /// Memory limit in bytes; swap is not available on top of it.
    pub memory_bytes: u64,
    /// How many processes and threads there may be at once.
    pub pids_limit: i64,
    /// How many processors may be used; none means all.
    pub cpus: Option<f64>,
    /// What differs from the usual, for a rebuild.
    pub circumstances: Circumstances,
}

impl Surroundings {
    /// The surroundings of a phase with so many jobs at once. The way to a compile farm is no part of them: it ends
    /// with the run.
    pub fn of(spec: &PhaseSpec, jobs: u32) -> Self {
        Self {
            image: spec.image.clone(),
            volume: spec.volume.clone(),
            cache_volume: spec.cache_volume.clone(),
            environment: environment(spec, jobs),
            memory_bytes: spec.memory_bytes,
            pids_limit: spec.pids_limit,
            cpus: spec.cpus,
            circumstances: spec.circumstances.clone(),
        }
    }

    /// What the engine is asked for to make a container in which this command runs in these surroundings.
    pub fn body(&self, engine: &Engine, command: &[&str]) -> ContainerCreateBody {
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut host = isolated(engine);
        host.cap_drop = Some(vec!["ALL".into()]);
        host.readonly_rootfs = Some(true);
        host.pids_limit = Some(self.pids_limit);
        host.memory = Some(bytes(self.memory_bytes));
        // The same as memory: nothing on top of it. A build that swaps takes the machine with it.
        host.memory_swap = host.memory;
        host.nano_cpus = self.cpus.map(|cpus| (cpus * 1e9) as i64);
        // What lies in /tmp counts as the container's memory.
        let temporary = (self.memory_bytes / 4).clamp(64 * MIB, 2048 * MIB);
        host.tmpfs = Some([("/tmp".to_owned(), format!("rw,exec,nosuid,nodev,mode=1777,size={temporary}"))].into());
        host.ulimits = Some(limits(engine, (0, 0)));
        let mut mounts = vec![mount(&self.volume, "/build")];
        mounts.extend(self.cache_volume.as_ref().map(|volume| mount(volume, "/ccache")));
        host.mounts = Some(mounts);
        // `env -i`: the engine and the image add variables of their own otherwise.
        let mut arguments = vec!["-i".to_owned()];
        arguments.extend(self.environment.iter().map(|(key, value)| format!("{key}={value}")));
        arguments.extend(command.iter().map(|part| (*part).to_owned()));
        let user = self.circumstances.user();
        let (hostname, domain) = self.circumstances.host();
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: Some(vec!["/usr/bin/env".into()]),
            cmd: Some(arguments),
            user: Some(format!("{user}:{user}")),
            working_dir: Some("/build".into()),
            hostname: Some(hostname.into()),
            domainname: domain.map(str::to_owned),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        }
    }
}

fn environment(spec: &PhaseSpec, jobs: u32) -> BTreeMap<String, String> {
    let mut all = spec.env.clone();
    let mut default = |key: &str, value: &str| {
        all.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    };
    default("PATH", PATH);
    default("HOME", "/build/home");
    default("LC_ALL", "C.UTF-8");
    default("TZ", "UTC");
    default("CCACHE_DIR", "/ccache");
    if spec.cache_volume.is_none() {
        default("CCACHE_DISABLE", "1");
    }
    spec.circumstances.change(&mut all);
    // These follow from the limits and can be no others.
    all.insert("JOBS".into(), jobs.to_string());
    all.insert("MEMORY_BYTES".into(), spec.memory_bytes.to_string());
    if let Some(per_job) = spec.memory_per_job {
        all.insert("MEMORY_PER_JOB".into(), per_job.to_string());
        all.insert("MEMORY_MARGIN".into(), margin(spec.memory_bytes).to_string());
    }
    all
}
