//! The state that each row of the table starts from, and what is timed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use deb::staged::StagedTree;
use engine::names::own_compiler_cache;
use fetch::source;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::{Store, TempDir};
use pipeline::inputs::{gather, gather_from};
use pipeline::{BuildOptions, CompilerCache, Error, Inputs, Job, Options, Published, clear};
use recipe::{Source, frozen};

use super::error::BenchError;
use super::recorder::Recorder;
use super::report::Measured;
use super::row::{Row, Rows};
use super::{Bench, process};

/// Added to the source file: a function of its own, so that the object is another one wherever it is compiled in.
const STATEMENT: &str = "\nint added_by_cargo_xtask_bench(int number) { return number + 1; }\n";

/// Added to the unit: a comment, which is enough for other bytes.
const COMMENT: &str = "\n# Edited by cargo xtask bench.\n";

/// What the rows are measured on: copies in a folder of the work store, which is gone afterwards, however it ends.
pub struct Bed {
    folder: TempDir,
    /// Keeps packed sources, but for the pinned one.
    sources: Store,
    /// What the recipe as it is is built from.
    pub inputs: Inputs,
    /// The folder of the source with an edited file, for the row of that.
    edited_source: Option<PathBuf>,
    /// What is asked for of the recipe with an edited unit, for the row of that.
    edited_recipe: Option<Options>,
    /// Digests of the unsigned packages of the recipe as it is, once they were made.
    packages: Vec<Digest>,
}

impl Bed {
    /// Makes the copies that these rows need. What does not fit is found out before anything long begins.
    ///
    /// # Errors
    /// The recipe does not say what to edit or does not describe upstream's own way, the inputs cannot be had, or a
    /// copy cannot be made.
    pub fn make(bench: &Bench<'_>, rows: &Rows) -> Result<Self, BenchError> {
        let Bench { usual, work, options, progress, .. } = *bench;
        let recipe = &options.recipe;
        let named = recipe.file.bench.as_ref();
        let named = named.ok_or_else(|| BenchError::NoBench { recipe: recipe.name().to_owned() })?;
        if rows.contains(Row::Upstream) && recipe.baseline_phase().is_none() {
            return Err(BenchError::NoBaseline { recipe: recipe.name().to_owned() });
        }
        let folder = work.temp_dir()?;
        let sources = Store::open(Some(&folder.path().join("sources")))?;
        let inputs = gather(source_store(options, usual, &sources), options, progress)?;
        let mut bed = Self { folder, sources, inputs, edited_source: None, edited_recipe: None, packages: Vec::new() };
        if rows.contains(Row::Source) {
            let copy = bed.folder.path().join("source");
            let tar = &bed.inputs.source().tar;
            let open = fs::File::open(tar).map_err(Error::io("read", tar))?;
            tar::Archive::new(open).unpack(&copy).map_err(Error::io("unpack", tar))?;
            append(&copy.join(&named.source_file), STATEMENT)?;
            bed.edited_source = Some(copy);
        }
        if rows.contains(Row::Unit) {
            let copy = bed.folder.path().join("recipe");
            let recipe = frozen::copy_to(recipe, &copy)?;
            append(&copy.join(&named.unit), COMMENT)?;
            bed.edited_recipe = Some(Options { recipe, ..options.clone() });
        }
        Ok(bed)
    }

    /// Brings about what the row starts from, and times it.
    ///
    /// # Errors
    /// The build fails, or the row did not measure what it says: what was edited changed nothing, or something was
    /// built although nothing had changed.
    pub async fn measure(&mut self, bench: &Bench<'_>, row: Row) -> Result<Measured, BenchError> {
        let Bench { work, options, progress, .. } = *bench;
        match row {
            Row::Cold => self.clear(bench, None).await?,
            Row::Cached => self.clear(bench, Some(&own_compiler_cache(work))).await?,
            // The last row may have left the packages of something that was edited.
            Row::Nothing => drop(self.package(bench, row, progress).await?),
            Row::Upstream | Row::Source | Row::Unit => {}
        }
        progress.event(Event::Note { text: format!("row {}: {}", row.letter(), row.what()) });
        let recorder = Recorder::new(progress);
        process::reset_peak();
        let (cpu, started) = (process::cpu(), Instant::now());
        let (published, inputs) = self.package(bench, row, &recorder).await?;
        let wall = started.elapsed().as_secs_f64();
        let noted = recorder.noted();
        let measured = Measured::new(row, wall, process::cpu() - cpu, process::peak(), noted);

        // A row that measured something else than it says is no figure.
        let packages: Vec<Digest> = published.report.packages.iter().map(|package| package.unsigned_sha256).collect();
        let nothing = |why: String, next| Err(BenchError::Row { row: row.letter(), why, next });
        let named = options.recipe.file.bench.as_ref().expect("looked for in the beginning");
        match row {
            Row::Cold | Row::Cached => self.packages = packages,
            Row::Source => {
                let tree = |inputs: &Inputs| -> Result<Option<Digest>, BenchError> {
                    let Some(stage) = work.stage("staged", &inputs.plan().staged_key()) else { return Ok(None) };
                    Ok(Some(StagedTree::in_stage(&stage).map_err(Error::io("read", &stage))?.digest))
                };
                if tree(&inputs)? == tree(&self.inputs)? {
                    return nothing(
                        format!(
                            "one more statement in {} changed nothing that is installed",
                            named.source_file.display()
                        ),
                        "name a file in bench.source-file that is compiled into a package",
                    );
                }
            }
            Row::Unit if packages == self.packages => {
                return nothing(
                    format!("one more line in {} changed no package", named.unit.display()),
                    "name a file in bench.unit that a package has",
                );
            }
            Row::Nothing if !published.unchanged => {
                return nothing(
                    "something was built although nothing had changed".into(),
                    "this is a fault of the tool: please report it",
                );
            }
            Row::Upstream | Row::Unit | Row::Nothing => {}
        }
        Ok(measured)
    }

    /// What `cargo xtask package` does, from reading the recipe on.
    async fn package(
        &self,
        bench: &Bench<'_>,
        row: Row,
        progress: &dyn Progress,
    ) -> Result<(Published, Inputs), BenchError> {
        let Bench { engine, usual, work, .. } = *bench;
        let options = match (row, &self.edited_recipe) {
            (Row::Unit, Some(edited)) => edited,
            _ => bench.options,
        };
        let started = Instant::now();
        let inputs = tokio::task::block_in_place(|| match (row, &self.edited_source) {
            // The fixes that the recipe applies are in it already.
            (Row::Source, Some(edited)) => {
                gather_from(usual, options, progress, |rules| Ok(source::local(&self.sources, edited, &[], rules)?))
            }
            _ => gather(source_store(options, usual, &self.sources), options, progress),
        })?;
        let build = BuildOptions {
            compiler_cache: CompilerCache::Own,
            dist: self.folder.path().join("dist"),
            ..bench.build.clone()
        };
        let job = Job { store: work, options, build: &build, progress };
        let find = async || Ok(engine.clone());
        let published = job.package_from(&inputs, usual, find, None, started).await?;
        Ok((published, inputs))
    }

    /// As if nothing had been built, but for the compiler cache where it is to be kept.
    async fn clear(&self, bench: &Bench<'_>, keep: Option<&str>) -> Result<(), BenchError> {
        clear(bench.engine, bench.work, keep).await?;
        let mut folders = vec![self.folder.path().join("dist")];
        // What the memory governor has learnt helps the next build; the first one has to do without.
        folders.extend(keep.is_none().then(|| bench.work.root().join("history")));
        for folder in folders {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &folder)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The pinned source is downloaded once and for all; what is packed from folders stays with the measurement.
fn source_store<'a>(options: &Options, usual: &'a Store, own: &'a Store) -> &'a Store {
    match (&options.source, &options.recipe.file.source) {
        (None, Source::Git(_)) => usual,
        _ => own,
    }
}

/// Adds a text to the end of a file that is there.
fn append(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = fs::File::options().append(true).open(path).map_err(Error::io("edit", path))?;
    file.write_all(text.as_bytes()).map_err(Error::io("edit", path))
}

#[cfg(test)]
mod tests {
    use recipe::Recipe;

    use super::*;

    #[test]
    fn letters_of_rows() {
        let rows = |text: &str| text.parse::<Rows>().map(|rows| rows.iter().map(Row::letter).collect::<String>());
        assert_eq!(rows("fcb").unwrap(), "bcf");
        assert_eq!(rows("a").unwrap(), "a");
        assert_eq!(rows("ae").unwrap(), "abe", "what the others start from comes with them");
        for wrong in ["", "g", "b,c", "B"] {
            let said = rows(wrong).unwrap_err().to_string();
            assert!(said.contains("from a to f") && said.contains("f nothing changed"), "{said}");
        }
    }

    #[test]
    fn every_row_of_a_recipe() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rows = |folder: &str| {
            let recipe = Recipe::read(&top.join(folder)).unwrap();
            Rows::of(&recipe).iter().map(Row::letter).collect::<String>()
        };
        assert_eq!(rows("../../packaging/mesos"), "abcdef");
        assert_eq!(rows("../../tests/fixtures/sample"), "bcdef");
    }

    #[test]
    fn a_file_that_is_named_and_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.cpp");
        let said = append(&path, STATEMENT).unwrap_err().to_string();
        assert!(said.starts_with("cannot edit ") && said.contains("none.cpp"), "{said}");
        assert!(!path.exists());
    }
}
