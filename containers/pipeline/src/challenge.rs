//! Whether others got from the same inputs what this machine got: of everything in the store that machines share,
//! whatever recipe it is of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use foundation::progress::{Event, Progress};
use foundation::store::Store;
use results::compare::{Compared, Verdict, compare};
use results::list::{CONTENT, Is};
use results::source::Trouble;
use results::take::Found;
use results::{Bundle, Key, Kind, Taker};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::rebuild::diffoscope::{self, Diffoscope};
use crate::staged::Staged;
use crate::{finished, packed, split};

/// How the comparison of one result came out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Challenged {
    /// The kind of stage.
    pub stage: String,
    /// Digest of the stage's inputs.
    pub inputs: String,
    /// The outcome.
    pub verdict: Verdict,
    /// Digest of what this machine got; none where it made none of its own.
    pub ours: Option<String>,
    /// What others got: digest of the content, and who states it.
    pub theirs: Vec<Statement>,
    /// Files that differ, by their paths, each with the folder of diffoscope's reports or why there is none.
    pub differences: Vec<Difference>,
}

/// What somebody states.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Statement {
    /// Digest of the content.
    pub content: String,
    /// Fingerprint of the primary key.
    pub key: String,
    /// The user id of the key.
    pub user_id: String,
    /// The place that has the statement.
    pub place: String,
}

/// A file that is not the same.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Its path in the result.
    pub path: String,
    /// What it differs from, and what is known of that.
    pub what: String,
}

/// Compares everything that is here, and what others state of what is not. Of what differs, both versions and diffoscope's reports go
/// into the folder `results`.
///
/// # Errors
/// A result in the store cannot be read, or the folder cannot be written.
pub fn challenge(
    store: &Store,
    taker: &Taker,
    results: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Challenged>, Error> {
    let work = store.temp_dir()?;
    let mut here = BTreeMap::new();
    for kind in Kind::REPRODUCIBLE {
        for (inputs, stage) in store.stages(kind.name())? {
            let folder = work.path().join(format!("{}-{inputs}", kind.name()));
            fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
            match bundle(kind, &stage, &folder) {
                Ok(bundle) => drop(here.insert(Key { kind, inputs }, bundle)),
                // What an older version of this tool left has no record that says enough.
                Err(error) => {
                    progress.event(Event::Warning { text: format!("{} is not compared: {error}", stage.display()) })
                }
            }
        }
    }
    match taker.keys() {
        Ok(keys) => {
            for key in keys {
                here.entry(key).or_insert(None);
            }
        }
        Err(why) => progress.event(Event::Warning { text: format!("what only others know is not listed: {why}") }),
    }
    let mut challenged = Vec::new();
    for (key, bundle) in here {
        let compared = compare(taker, key, bundle.as_ref().map(Bundle::digest), progress)?;
        if compared.ours.is_none() && compared.theirs.is_empty() {
            continue;
        }
        let differences = match (&bundle, compared.verdict()) {
            (Some(bundle), Verdict::Different) => differences(store, taker, bundle, &compared, results, progress)?,
            _ => Vec::new(),
        };
        challenged.push(Challenged {
            stage: key.kind.name().to_owned(),
            inputs: key.inputs.to_string(),
            verdict: compared.verdict(),
            ours: compared.ours.map(|digest| digest.to_string()),
            theirs: compared.theirs.iter().map(statement).collect(),
            differences,
        });
    }
    Ok(challenged)
}

/// A finished stage as a result; none where it is not this machine's own.
fn bundle(kind: Kind, stage: &Path, work: &Path) -> Result<Option<Bundle>, Error> {
    match kind {
        Kind::Packages => packed::bundle(stage, work),
        Kind::Staged => Staged::read(stage)?.bundle(work),
        Kind::Split => split::bundle_in(stage, work, &BTreeMap::new()),
        Kind::Package => finished::bundle(stage, work),
        Kind::CompilerCache | Kind::Verdict => Ok(None),
    }
}

fn statement(found: &Found) -> Statement {
    Statement {
        content: found.content().to_string(),
        key: found.stated.by.primary.clone(),
        user_id: found.stated.by.user_id.clone(),
        place: found.place.to_string(),
    }
}

/// Fetches what others got, and says which files differ and how.
fn differences(
    store: &Store,
    taker: &Taker,
    ours: &Bundle,
    compared: &Compared,
    results: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Difference>, Error> {
    let mut told = Vec::new();
    for found in compared.theirs.iter().filter(|found| Some(found.content()) != compared.ours) {
        let fetched = match taker.fetch(store, &compared.key, found, progress) {
            Ok(fetched) => fetched,
            Err(Trouble::Store(error)) => return Err(error.into()),
            Err(Trouble::Place(why)) => {
                told.push(Difference {
                    path: ".".into(),
                    what: format!("what {} got cannot be had: {why}", found.stated.by.user_id),
                });
                continue;
            }
        };
        let theirs = fetched.path().join(CONTENT);
        let other = Bundle::default().content(&theirs, CONTENT)?.list(Vec::new()).content;
        let other: BTreeMap<&str, &Is> = other
            .iter()
            .filter_map(|entry| Some((entry.path.strip_prefix(CONTENT)?.strip_prefix('/')?, &entry.is)))
            .collect();
        let own = ours.list(Vec::new()).content;
        let own: BTreeMap<&str, &Is> = own.iter().map(|entry| (entry.path.as_str(), &entry.is)).collect();
        let name = format!("{}-{}", compared.key.kind.name(), compared.key.inputs.short());
        let place = results.join(name).join(&found.stated.by.primary);
        for path in own.keys().chain(other.keys().filter(|path| !own.contains_key(*path))) {
            let what = match (own.get(path), other.get(path)) {
                (Some(one), Some(other)) if one == other => continue,
                (Some(Is::File { .. }), Some(Is::File { .. })) => {
                    let ours = ours.file(path).expect("it is in the list");
                    file(ours, &theirs.join(path), &place, path, progress)?
                }
                (Some(_), Some(_)) => "is of another kind, or leads elsewhere".to_owned(),
                (Some(_), None) => "is only here".to_owned(),
                (None, _) => "is only there".to_owned(),
            };
            told.push(Difference { path: (*path).to_owned(), what });
        }
    }
    Ok(told)
}

/// Keeps both versions of a file, and compares them in depth.
fn file(ours: &Path, theirs: &Path, place: &Path, path: &str, progress: &dyn Progress) -> Result<String, Error> {
    progress.event(Event::Note { text: format!("comparing {path} with diffoscope") });
    let copy = |from: &Path, side: &str| -> Result<PathBuf, Error> {
        let to = place.join(side).join(path);
        let folder = to.parent().expect("it is in a folder");
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        fs::copy(from, &to).map_err(Error::io("write", &to))?;
        Ok(to)
    };
    let (one, other) = (copy(ours, "ours")?, copy(theirs, "theirs")?);
    Ok(match diffoscope::compare(&one, &other, &place.join(path.replace('/', "_"))) {
        Diffoscope::Reports { text, html } => format!("differs: {}, {}", text.display(), html.display()),
        Diffoscope::Missing(why) => format!("differs: {why}"),
    })
}
