//! Results that machines share: taking one in place of a stage, and offering what this machine made.

use std::collections::BTreeMap;
use std::path::Path;

use deb::packing::Packing;
use deb::split::Split;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use results::offer::Offering;
use results::{Key, Kind, Received, Subject, Taken, Taker};

use crate::check::{self, CheckOptions, Kept};
use crate::error::Error;
use crate::finished;
use crate::inputs::Inputs;
use crate::options::{Options, Others};
use crate::packed::Packed;
use crate::split;
use crate::staged::Staged;
use foundation::stage::Stage;

/// Asks for a result; `receive` makes a stage of it. A result that is not what a stage should be is told of and not used.
pub(crate) fn take<T>(
    store: &Store,
    taker: &Taker,
    key: &Key,
    progress: &dyn Progress,
    receive: impl FnOnce(Received) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let stage = Stage::start(progress, format!("{} of others", key.kind.name()));
    let Some(received) = taker.take(store, key, progress)? else {
        stage.finish();
        return Ok(None);
    };
    let place = received.taken.place.clone();
    match receive(received) {
        Ok(taken) => {
            stage.finish();
            Ok(Some(taken))
        }
        Err(error @ Error::Store(_)) => Err(error),
        Err(error) => {
            progress.event(Event::Warning { text: format!("{key} is not taken from {place}: {error}") });
            Ok(None)
        }
    }
}

/// The error for a received file that is not what the rest of its result says.
pub(crate) fn not_as_stated(path: &Path) -> Error {
    Error::io("use", path)(std::io::Error::other("it is not what the result's own list of packages says"))
}

/// Brings what others made of a plan into the store, so that nothing of it has to be fetched afterwards: the packages, or else
/// what they are made of, and the verdict on them. Returns which results came from others, now or before.
///
/// # Errors
/// Two builders disagree, or the store cannot be read or written.
pub fn fetch(store: &Store, others: &Others, inputs: &Inputs, progress: &dyn Progress) -> Result<Vec<Taken>, Error> {
    let mut taken = fetch_packages(store, others, inputs, progress)?;
    let verdict = check::of_others(store, others, inputs, &CheckOptions::default(), progress)?;
    taken.extend(verdict.and_then(|checked| checked.taken));
    Ok(taken)
}

fn fetch_packages(
    store: &Store,
    others: &Others,
    inputs: &Inputs,
    progress: &dyn Progress,
) -> Result<Vec<Taken>, Error> {
    if let Some(packed) = Packed::find_or_take(store, others, inputs, progress)? {
        return Ok(packed.record().build().taken().to_vec());
    }
    let Some(staged) = Staged::find_or_take(store, others, inputs, progress)? else { return Ok(Vec::new()) };
    let Some((split, _, taken)) = split::find_or_take(store, others, inputs, &staged, progress)? else {
        return Ok(staged.record().taken().to_vec());
    };
    if let (Some(taker), Some(folder)) = (others.taker(), split.stage.parent()) {
        finished::take_all(store, taker, folder, progress)?;
    }
    Ok(staged.record().taken().iter().cloned().chain(taken).collect())
}

/// What these inputs lead to, for people.
pub(crate) fn subject(inputs: &Inputs) -> Subject {
    let plan = inputs.plan();
    Subject {
        recipe: plan.recipe().to_owned(),
        target: plan.target().name.to_string(),
        version: plan.version().to_owned(),
    }
}

/// What this machine has made by itself of a plan, to be shared; and how much of it was taken from others and is not. `work`
/// is a folder for what has to be written for that.
///
/// # Errors
/// A record cannot be read, or a file cannot be read or written.
pub fn own(store: &Store, options: &Options, inputs: &Inputs, work: &Path) -> Result<(Vec<Offering>, usize), Error> {
    let of = subject(inputs);
    let (mut own, mut taken) = (Vec::new(), 0);
    if let Some(packed) = Packed::find(store, inputs)? {
        match packed.bundle(work)? {
            Some(bundle) => own.push(Offering { key: Packed::key(inputs), of: of.clone(), bundle }),
            None => taken += 1,
        }
    }
    let packs = !own.is_empty();
    if let Some(staged) = Staged::find(store, inputs)? {
        match staged.bundle(work)? {
            Some(bundle) => {
                own.push(Offering { key: Staged::key(inputs), of: of.clone(), bundle });
                if let Some((key, folder)) = split::find(store, inputs, &staged)? {
                    let packing = Packing {
                        manifest: inputs.manifest(),
                        changelog: inputs.changelog(),
                        target: &options.target,
                        split: &Split::read(&folder)?,
                    };
                    // Of packages that were never finished here there is nothing to say.
                    let packed = if packs { finished::keys(store, &packing)? } else { BTreeMap::new() };
                    if let Some(bundle) = split::bundle_in(&folder, work, &packed)? {
                        own.push(Offering { key, of: of.clone(), bundle });
                    }
                    for inputs in packed.into_values() {
                        let stage = store.stage(Kind::Package.name(), &inputs);
                        let bundle = stage.map(|stage| finished::bundle(&stage, work)).transpose()?;
                        if let Some(bundle) = bundle.flatten() {
                            own.push(Offering { key: Key { kind: Kind::Package, inputs }, of: of.clone(), bundle });
                        }
                    }
                }
            }
            None => taken += 1,
        }
    }
    for root in [false, true] {
        match check::kept(store, inputs, &CheckOptions { root, ..CheckOptions::default() })? {
            Some(Kept::Own(key, bundle)) => own.push(Offering { key, of: of.clone(), bundle }),
            Some(Kept::OfOthers) => taken += 1,
            None => {}
        }
    }
    Ok((own, taken))
}
