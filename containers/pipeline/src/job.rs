//! From gathered inputs to packages in `dist`.

use std::path::PathBuf;
use std::time::Instant;

use engine::Engine;
use foundation::store::Store;
use statements::verify::REPORT;

use crate::builder::Builder;
use crate::check::{self, CheckOptions, Checked};
use crate::error::Error;
use crate::inputs::{Inputs, gather};
use crate::options::Job;
use crate::packed::Packed;
use crate::publish::{self, Published};
use crate::root::build_root;
use crate::staged::Staged;

impl Job<'_> {
    /// Runs the whole pipeline, with upstream's tests where that is asked for. The engine is looked for when something
    /// has to be run in it, and not before.
    ///
    /// # Errors
    /// A stage fails, its sentence says which; or upstream's tests found the build unsound.
    pub async fn package(
        self,
        find_engine: impl AsyncFnOnce() -> Result<Engine, Error>,
        asked: Option<&CheckOptions>,
    ) -> Result<Published, Error> {
        let started = Instant::now();
        let inputs = tokio::task::block_in_place(|| gather(self.store, self.options, self.progress))?;
        self.package_from(&inputs, self.store, find_engine, asked, started).await
    }

    /// Does what [`Job::package`] does from inputs that were gathered, with a build root that the store `roots` may
    /// know. `started` is when the run began.
    ///
    /// # Errors
    /// As those of [`Job::package`].
    pub async fn package_from(
        self,
        inputs: &Inputs,
        roots: &Store,
        find_engine: impl AsyncFnOnce() -> Result<Engine, Error>,
        asked: Option<&CheckOptions>,
        started: Instant,
    ) -> Result<Published, Error> {
        let Self { store, options, build, progress } = self;
        let signer = tokio::task::block_in_place(|| publish::open_signer(build, inputs))?;
        let check_key = asked.map(|asked| check::key(inputs, asked)).transpose()?;
        let published = publish::up_to_date(options, inputs, signer.as_ref(), build, check_key)?;
        // Of a verdict that was taken, whoever is asked now may say something else.
        let of_others = |published: &Published| check::is_of_others(&published.report.taken);
        let stale = published.as_ref().is_none_or(|found| build.others.taker().is_some() && of_others(found));
        let verdict = match asked.filter(|_| stale) {
            Some(asked) => {
                tokio::task::block_in_place(|| check::of_others(store, &build.others, inputs, asked, progress))?
            }
            None => None,
        };
        if let Some(published) = published.filter(|_| !stale || asked.is_none() || verdict.is_some()) {
            return Ok(published);
        }
        let finish = |packed: &Packed<'_>, checked: Option<&Checked>| {
            let seconds = started.elapsed().as_secs_f64();
            tokio::task::block_in_place(|| packed.publish(self, checked, signer.as_ref(), seconds))
        };
        let found = tokio::task::block_in_place(|| Packed::find_or_take(store, &build.others, inputs, progress))?;
        // What others made may be enough without an engine.
        let found = match (found, build.others.taker()) {
            (None, Some(_)) => {
                tokio::task::block_in_place(|| match Staged::find_or_take(store, &build.others, inputs, progress)? {
                    Some(staged) => staged.pack_found(self, inputs),
                    None => Ok(None),
                })?
            }
            (found, _) => found,
        };
        if let Some(checked) = &verdict {
            check::refuse_unsound(checked, build)?;
        }
        if let Some(packed) = found.as_ref().filter(|_| asked.is_none() || verdict.is_some()) {
            return finish(packed, verdict.as_ref());
        }
        let engine = find_engine().await?;
        let root = build_root(&engine, roots, options, inputs, progress).await?;
        let builder = Builder::new(self, &engine, inputs, &root);
        let packed = match found {
            Some(packed) => packed,
            None => builder.staged().await?.pack(&builder).await?,
        };
        match (asked, verdict) {
            (Some(asked), None) => finish(&packed, Some(&check::sound(&builder, asked).await?)),
            (_, verdict) => finish(&packed, verdict.as_ref()),
        }
    }

    /// Puts what upstream's tests found beside the packages, if those in `dist` are of the same plan and key, and
    /// returns that folder; none if they are others.
    ///
    /// # Errors
    /// The inputs cannot be read, the key cannot be used, or `dist` cannot be written.
    pub fn attest(self, checked: &Checked) -> Result<Option<PathBuf>, Error> {
        let Self { store, options, build, progress } = self;
        let inputs = gather(store, options, progress)?;
        let Some(packed) = Packed::find(store, &inputs)? else { return Ok(None) };
        if !build.dist.join(REPORT).exists() {
            return Ok(None);
        }
        let signer = publish::open_signer(build, &inputs)?;
        if publish::in_dist(options, &inputs, signer.as_ref(), build)?.is_none() {
            return Ok(None);
        }
        packed.publish(self, Some(checked), signer.as_ref(), 0.0).map(|published| Some(published.folder))
    }
}
