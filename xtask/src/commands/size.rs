//! `cargo xtask size`: what takes space in each package.

use std::path::PathBuf;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Kind, Message};
use recipe::target::TargetName;
use statements::size::PackageSize;

use crate::commands::package::default_dist;
use crate::defaults::DEFAULTS;
use crate::terminal::print_json;

/// The arguments of `cargo xtask size`.
#[derive(Args)]
pub struct Arguments {
    /// The folder; the default is where `package` puts them
    #[arg(value_name = "DIST")]
    dist: Option<PathBuf>,
    /// Print it as JSON on one line, sizes in bytes
    #[arg(long)]
    json: bool,
}

/// Prints what takes space in each package of a folder.
///
/// # Errors
/// The folder has no packages, or one cannot be read.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let dist = arguments.dist.unwrap_or_else(|| {
        let target: TargetName = DEFAULTS.target.parse().expect("a test reads it");
        default_dist(&DEFAULTS.recipe, &target.file_stem())
    });
    let entries = std::fs::read_dir(&dist).map_err(Message::of_file("read", &dist))?;
    let mut debs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    debs.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    debs.sort();
    if debs.is_empty() {
        let text = format!("there are no packages in {}", dist.display());
        return Err(Message::new(text, Kind::Failed.next("run `cargo xtask package`, or name another folder")).into());
    }
    let mut sizes = Vec::new();
    for deb in &debs {
        sizes.push(PackageSize::read(deb).map_err(Message::of_file("read", deb))?);
    }
    if arguments.json {
        print_json(&sizes);
    } else {
        print!("{}", table(&sizes));
    }
    Ok(())
}

/// What takes space in each package, as a table for people.
pub fn table(sizes: &[PackageSize]) -> String {
    let mut text = format!("{:>10}  {:>10}  package, its folders, and its largest files\n", "download", "installed");
    let line = |size: u64, name: &str| format!("{:>10}  {:>10}    {name}\n", "", ByteSize(size).to_string());
    for size in sizes {
        let (download, installed) = (ByteSize(size.compressed).to_string(), ByteSize(size.installed).to_string());
        text += &format!("{download:>10}  {installed:>10}  {}\n", size.file);
        text.extend(size.folders.iter().map(|(name, bytes)| line(*bytes, &format!("/{name}"))));
        text.extend(size.files.iter().map(|(name, bytes)| line(*bytes, &format!("  /{name}"))));
    }
    text
}
