//! `cargo xtask share`: results of this machine, copied to where others find them.

use std::time::Instant;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::date;
use foundation::failure::AnyFailure;
use foundation::progress::Progress;
use foundation::store::{Store, StoreLock};
use foundation::threads::processors;
use pipeline::{build_root, compiler_cache, gather, share};
use places::Remote;
use results::offer::{Desk, Offered};
use results::prune::{Keep, Pruned};
use schemars::JsonSchema;
use serde::Serialize;
use sign::gpg::Gpg;
use sign::signer::{KeyKind, Signer};

use crate::arguments::{Selections, block_on, engine, locked_store};
use crate::commands::package::KeyArguments;
use crate::terminal::{Terminal, duration, print_json};

/// The arguments of `cargo xtask share`.
#[derive(Args)]
pub struct Arguments {
    /// Where to: /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH or rclone:NAME:PATH
    #[arg(value_name = "PLACE")]
    place: Remote,
    #[command(flatten)]
    selection: Selections,
    #[command(flatten)]
    key: KeyArguments,
    /// Copy also what this key has stated there before: the place may have lost or damaged it
    #[arg(long)]
    again: bool,
    /// Share the compiler cache of the build root as well, for those who ask for it with `package --from-cache`
    #[arg(long)]
    compiler_cache: bool,
    /// Remove from the place what is old and of no late version, and share nothing
    #[arg(long)]
    prune: bool,
    /// With --prune: what was stated in the last so many days stays
    #[arg(long, value_name = "DAYS", default_value_t = 30, requires = "prune")]
    keep_days: u32,
    /// With --prune: the latest so many versions of each recipe and target stay, however old
    #[arg(long, value_name = "N", default_value_t = 3, requires = "prune")]
    keep_versions: u32,
    /// Remove the lock of a run that is gone; the message that says so tells its name
    #[arg(long, value_name = "LOCK")]
    break_lock: Option<String>,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// What was shared, or removed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Shared {
    /// The place, as it was named.
    place: String,
    /// Fingerprint of the primary key that states.
    key: String,
    /// Results that are there now.
    results: Vec<SharedResult>,
    /// How many results are here that others made: these are not this machine's to state.
    of_others: usize,
    /// How many statements were removed.
    removed_statements: usize,
    /// How many parts were removed.
    removed_parts: usize,
}

/// A result at a place.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SharedResult {
    /// The kind of stage.
    stage: String,
    /// Digest of the stage's inputs.
    inputs: String,
    /// Digest of the result's content.
    content: String,
    /// Bytes of its files.
    size: u64,
    /// Bytes of those of its parts that the results before it do not have; null where it had been stated before.
    copied: Option<u64>,
}

impl From<&Offered> for SharedResult {
    fn from(offered: &Offered) -> Self {
        Self {
            stage: offered.key.kind.name().to_owned(),
            inputs: offered.key.inputs.to_string(),
            content: offered.content.to_string(),
            size: offered.size,
            copied: offered.copied,
        }
    }
}

/// Shares what this machine made of the plans that the arguments lead to, or removes what is old.
///
/// # Errors
/// There is nothing to share, the key cannot be used or has stated something else, or the place cannot be written to.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let started = Instant::now();
    let terminal = Terminal::new(arguments.json);
    let (store, lock) = locked_store(&format!("share {}", arguments.place), &terminal)?;
    let signer = Gpg::open(&arguments.key.source(&store))?;
    let mut shared = Shared {
        place: arguments.place.to_string(),
        key: signer.key().primary.clone(),
        results: Vec::new(),
        of_others: 0,
        removed_statements: 0,
        removed_parts: 0,
    };
    let desk = desk(&arguments, &store, &lock, &signer, &terminal);
    if arguments.prune {
        let keep = Keep { days: arguments.keep_days, versions: arguments.keep_versions };
        let Pruned { statements, parts } = desk.prune(keep)?;
        (shared.removed_statements, shared.removed_parts) = (statements.0, parts.0);
        terminal.finish();
        if arguments.json {
            print_json(&shared);
        } else {
            println!(
                "removed {} of {} statements and {} of {} parts from {}",
                statements.0, statements.1, parts.0, parts.1, arguments.place
            );
        }
        return Ok(());
    }
    for selection in arguments.selection.each() {
        let options = selection.options()?;
        let inputs = gather(&store, &options, &terminal)?;
        signer.check_version(&inputs.changelog().version)?;
        let work = store.temp_dir()?;
        let (mut own, of_others) = share::own(&store, &options, &inputs, work.path())?;
        let of_plan = own.len();
        if arguments.compiler_cache {
            let offering = block_on(&store, async || {
                let engine = engine(&store, &lock, false, &terminal).await?;
                let root = build_root(&engine, &store, &options, &inputs, &terminal).await?;
                Ok(compiler_cache::offering(&engine, &root, &inputs, work.path()).await?)
            })?;
            own.extend(offering);
        }
        if of_plan == 0 {
            let (recipe, target) = (options.recipe.handle(), &options.target.name);
            let why = if of_others > 0 { "was made by others" } else { "has not been made here" };
            let plan = inputs.plan().digest().short();
            terminal.note(format!("what the plan {plan} of {recipe} for {target} leads to {why}: not shared"));
        }
        if !own.is_empty() {
            shared.results.extend(desk.offer(&own)?.iter().map(SharedResult::from));
        }
        shared.of_others += of_others;
    }
    terminal.finish();
    if arguments.json {
        print_json(&shared);
    } else {
        print!("{}", text(&shared, signer.key().kind, started.elapsed().as_secs_f64()));
    }
    Ok(())
}

fn desk<'a>(
    arguments: &'a Arguments,
    store: &'a Store,
    lock: &'a StoreLock,
    signer: &'a dyn Signer,
    progress: &'a dyn Progress,
) -> Desk<'a> {
    Desk {
        remote: &arguments.place,
        store,
        lock,
        signer,
        now: date::now(),
        break_lock: arguments.break_lock.as_deref(),
        again: arguments.again,
        threads: processors(),
        progress,
    }
}

/// What was shared, for people.
pub fn text(shared: &Shared, kind: KeyKind, seconds: f64) -> String {
    let mut text = String::new();
    for result in &shared.results {
        let copied = result.copied.map_or("there already".to_owned(), |bytes| format!("{} of parts", ByteSize(bytes)));
        text += &format!(
            "{:14} {:.12}  content {:.12}  {:>10}  {copied}\n",
            result.stage,
            result.inputs,
            result.content,
            ByteSize(result.size).to_string()
        );
    }
    if shared.of_others > 0 {
        text += &format!("{} results were made by others, who state them: not shared\n", shared.of_others);
    }
    text += &format!(
        "{} results at {}, stated by {}, in {}\n",
        shared.results.len(),
        shared.place,
        shared.key,
        duration(seconds)
    );
    if kind == KeyKind::Development {
        text += "stated with an UNTRUSTED DEVELOPMENT key: it counts only for whoever names it with --trust\n";
    }
    text
}
