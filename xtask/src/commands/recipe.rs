//! `cargo xtask recipe new`: a recipe of another version, which inherits.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fetch::source::version::{PatchStanding, Standing, short};
use foundation::date;
use foundation::failure::{AnyFailure, Message};
use foundation::progress::Progress;
use pipeline::version::{Asked, NewRecipe, new_recipe};
use recipe::Recipe;

use crate::arguments::locked_store;
use crate::defaults::{DEFAULTS, known_recipes};
use crate::terminal::Terminal;

/// The commands about recipes.
#[derive(Subcommand)]
pub enum Command {
    /// Make a recipe of another version that states only its differences; git says which cherry-picks that version has
    New(Arguments),
}

/// The arguments of `cargo xtask recipe new`.
#[derive(Args)]
pub struct Arguments {
    /// Name of the new recipe, which is made beside the other one, or the path of its folder
    #[arg(value_name = "NAME")]
    name: String,
    /// The recipe that it inherits from: a name or the path of a folder
    #[arg(long, value_name = "RECIPE", default_value = DEFAULTS.recipe.as_str())]
    from: String,
    /// The version's tag in upstream's repository
    #[arg(long)]
    tag: String,
    /// The commit that the tag has to name, with all 40 digits
    #[arg(long)]
    commit: Option<String>,
    /// Upstream's version; the default is the tag from its first digit on
    #[arg(long, value_name = "VERSION")]
    upstream_version: Option<String>,
    /// Git repository with both versions, a folder or an address; the default is the recipe's own
    #[arg(long, value_name = "PATH|URL")]
    source: Option<String>,
}

/// Makes a recipe, and says what git said and what is left to do.
///
/// # Errors
/// There is no such recipe, tag or commit, the new recipe is there already, or it cannot be written.
pub fn run(command: Command) -> Result<(), AnyFailure> {
    let Command::New(arguments) = command;
    let terminal = Terminal::new(false);
    let known = known_recipes();
    let from = Recipe::find(&arguments.from, &known)?;
    let folder = match arguments.name.contains('/') {
        true => PathBuf::from(&arguments.name),
        false => from.folder.parent().unwrap_or(Path::new(".")).join(&arguments.name),
    };
    if let Some((name, there)) = known.iter().find(|(name, _)| folder.file_name() == Some(name.as_ref())) {
        let text = format!("there is a recipe {name} already, in {}: name the new one otherwise", there.display());
        return Err(Message::usage(text).into());
    }
    let (store, _lock) = locked_store("recipe new", &terminal)?;
    // One that cannot be read is told of where it is wanted.
    let known: Vec<Recipe> = known.iter().filter_map(|(_, folder)| Recipe::read(folder).ok()).collect();
    let asked = Asked {
        folder,
        from: &from,
        tag: &arguments.tag,
        commit: arguments.commit.as_deref(),
        version: arguments.upstream_version.as_deref(),
        source: arguments.source.as_deref(),
        known: &known,
        now: date::now(),
    };
    let made = new_recipe(&store, &asked, &|text| terminal.note(text.to_owned()))?;
    terminal.finish();
    print(&from, &made);
    Ok(())
}

fn print(from: &Recipe, made: &NewRecipe) {
    let NewRecipe { folder, version, commit, files, picks, patches, fixed, bundled: (bundled, same), left } = made;
    println!("{} {version}, commit {}, inherits from {}\n", from.name(), short(commit), from.handle());
    for (pick, standing) in picks {
        let (word, why) = match standing {
            Standing::Contained(how) => ("contained", format!(": {how}")),
            Standing::Applies => ("applied", String::new()),
            Standing::Fails(why) => ("FAILS", format!(": {why}")),
        };
        println!("  {word:9}  {}  {}{why}", short(&pick.commit), pick.fixes.join(", "));
    }
    for (name, standing) in patches {
        let (word, why) = match standing {
            PatchStanding::Contained => ("contained", String::new()),
            PatchStanding::Applies => ("applied", String::new()),
            PatchStanding::Fails(why) => ("FAILS", format!(": {why}")),
        };
        println!("  {word:9}  {name}{why}");
    }
    if !fixed.is_empty() {
        println!("\nFixed in this version, and no longer by a cherry-pick: {}", fixed.join(", "));
    }
    let what = if *same { "all as in the recipe that it inherits from" } else { "see sources.lock" };
    println!("Bundled files: {bundled}, {what}. Locks: inherited, as long as the dependencies are the same.");
    println!("\nLeft to do:");
    for line in left {
        println!("  - {line}");
    }
    println!("  - say in the changelog what is new for whoever installs it");
    println!("  - run upstream's tests: the excuses of quarantine.toml were seen with the other version");
    println!("\n{} has", folder.display());
    for (name, lines) in files {
        println!("  {lines:4} lines  {name}");
    }
}
