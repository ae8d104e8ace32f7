//! What a phase sees of its circumstances: asked inside, so that a variation that does not act is noticed.

use std::collections::BTreeMap;

use engine::volume;
use phases::circumstances::Aspect;
use phases::phase::{self, PhaseEvent, PhaseSpec};

use crate::budget::Budget;
use crate::builder::{Builder, own};
use crate::error::Error;
use crate::options::CompilerCache;

/// What a phase sees, by aspect, in words.
pub type Seen = BTreeMap<Aspect, String>;

const SCRIPT: &str = include_str!("../../assets/probe.sh");
const KIND: &str = "probe";

/// Runs a script as a phase would be run, with the circumstances of the builder, and returns what it sees of each
/// aspect.
///
/// # Errors
/// The engine fails, or the script does.
pub async fn probe(builder: &Builder<'_>) -> Result<Seen, Error> {
    let Builder { engine, store, inputs, root, build, .. } = *builder;
    let volume = engine::names::of_recipe(store, inputs.recipe().handle()) + KIND;
    volume::remove(engine, &volume).await?;
    volume::create(engine, &volume, KIND, &inputs.plan().digest().to_string()).await?;
    own(engine, &root.image, &volume, &build.circumstances).await?;
    let folder = store.temp_dir()?;
    let budget = Budget::of(engine, builder.options, build).await?;
    let spec = PhaseSpec {
        name: KIND.into(),
        image: root.image.clone(),
        volume: volume.clone(),
        cache_volume: None,
        script: SCRIPT.as_bytes().to_vec(),
        uploads: Vec::new(),
        env: builder.environment(&inputs.plan().phases()[0]),
        memory_bytes: budget.memory,
        memory_per_job: None,
        jobs: budget.wanted_jobs,
        pids_limit: 256,
        cpus: None,
        circumstances: build.circumstances.clone(),
        farm: None,
        timeout: None,
        labels: BTreeMap::new(),
        log: folder.path().join("log"),
        downloads: Vec::new(),
        download_dir: folder.path().to_owned(),
    };
    let mut seen = Seen::new();
    let mut text = String::new();
    let record = phase::run(engine, spec, &mut |event| {
        if let PhaseEvent::Line(line) = event {
            let found = line.split_once(' ').and_then(|(name, value)| {
                Some((Aspect::ALL.into_iter().find(|aspect| aspect.name() == name)?, value.trim().to_owned()))
            });
            seen.extend(found);
            text += &format!("{line}\n");
        }
    })
    .await?;
    volume::remove(engine, &volume).await?;
    if record.exit != 0 {
        let why = format!("exit {}:\n{text}", record.exit);
        return Err(engine::Error::Engine { doing: "asking a phase for its circumstances".into(), why }.into());
    }
    let cache = if builder.compiler_cache() == CompilerCache::None { "none" } else { "the usual one" };
    seen.insert(Aspect::Cache, cache.into());
    Ok(seen)
}
