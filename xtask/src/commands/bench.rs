//! `cargo xtask bench`: how fast it is, beside upstream's own way.

use std::path::PathBuf;

use bench::{Bench, BenchError, BenchReport, GovernorReport, GrowthReport, Rows, growth, predict};
use clap::Args;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Message};
use foundation::file::write_whole;
use foundation::store::Store;
use phases::circumstances::Circumstances;
use pipeline::{BuildOptions, CompilerCache};
use serde::Serialize;

use crate::arguments::{Selection, block_on, engine, lock, repository};
use crate::commands::package::development_key;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask bench`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Rows by their letters, such as bcf: a upstream's own way, which is measured once and kept; b from nothing; c after a
    /// clean, with the compiler cache warm; d one source file edited; e one unit edited; f nothing changed. All of them by
    /// default; b comes with any of c to f
    #[arg(long, value_name = "LETTERS")]
    rows: Option<Rows>,
    /// How the figures grow: the sample with so many source files more, such as 50,200,800; rows b, c, d and f
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=9999),
          conflicts_with_all = ["rows", "recipe", "source"])]
    growth: Vec<u32>,
    /// The memory governor beside each fixed -j from 1 to 8, under these caps, such as 5GiB,6GiB,8GiB
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',', conflicts_with_all = ["rows", "growth", "memory", "jobs"])]
    governor: Vec<ByteSize>,
    /// How long it would take with so many processors, such as 1,2,4,8,16, from what is on record of the packages that were built
    /// here, and what is on the critical path
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4096),
          conflicts_with_all = ["rows", "growth", "governor", "memory", "jobs", "setup"])]
    predict: Vec<u32>,
    /// Write bench.json and bench.svg (with --growth bench-growth.json and bench-growth.svg, with --predict bench-predicted.json and
    /// bench-predicted.svg, with --governor bench-governor.json) into this folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Memory that the build may use, such as 4GiB; the default is what the host can spare
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Jobs that make may start at once; two for each processor by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
    /// Print facts as JSON, one a line, on standard output; the last line is the report
    #[arg(long)]
    json: bool,
}

/// In the cache, the stores in which it is built.
pub const BENCH_FOLDER: &str = "bench";

/// What was measured.
enum Found {
    Rows(Box<BenchReport>),
    Growth(GrowthReport),
    Governor(GovernorReport),
}

/// Measures, prints the table, and writes the files that were asked for.
///
/// # Errors
/// Something to be measured fails, a file cannot be written, or what is installed differs from upstream's own way.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let mut selection = arguments.selection.clone();
    let grows = !arguments.growth.is_empty();
    if grows {
        selection.subject.common.recipe = "sample".into();
    }
    let options = selection.options()?;
    let rows = arguments.rows.clone().unwrap_or_else(|| Rows::of(&options.recipe));
    if let Some(folder) = &arguments.write {
        // Before the build: a folder that cannot be written must not be found out after an hour.
        let can = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop));
        can.map_err(Message::of_file("write into", folder))?;
    }
    let name = format!("{}-{}", options.recipe.handle(), options.target.name.file_stem());
    let usual = Store::open(None)?;
    if !arguments.predict.is_empty() {
        let _lock = lock(&usual, &format!("bench --predict {name}"), &terminal)?;
        let report = predict::predict(&usual, &options, &terminal, &arguments.predict);
        terminal.finish();
        let report = report?;
        return tell(&arguments, "bench-predicted", &report, &report.text(), Some(&report.svg()));
    }
    let work = Store::open(Some(&usual.root().join(BENCH_FOLDER).join(&name)))?;
    // In this order: whoever waits for another measurement keeps nobody from building.
    let what = format!("bench {name}");
    let work_lock = lock(&work, &what, &terminal)?;
    let _usual_lock = lock(&usual, &what, &terminal)?;
    let build = BuildOptions {
        revision: crate::arguments::revision,
        others: pipeline::Others::never(),
        memory: arguments.memory,
        jobs: arguments.jobs,
        compiler_cache: CompilerCache::Own,
        circumstances: Circumstances::default(),
        workers: Vec::new(),
        dist: repository().join("dist"),
        // What is measured is thrown away: no other key has to sign it.
        key: development_key(&usual),
    };
    let found = block_on(&work, async || {
        let engine = engine(&work, &work_lock, arguments.setup, &terminal).await?;
        let memory = arguments.governor.iter().copied().chain(arguments.memory).max();
        pipeline::refuse_too_much(&engine, memory, arguments.jobs, 0).await?;
        let bench = Bench {
            engine: &engine,
            usual: &usual,
            work: &work,
            options: &options,
            build: &build,
            progress: &terminal,
        };
        Ok(match (grows, arguments.governor.is_empty()) {
            (true, _) => Found::Growth(growth::run(&bench, &arguments.growth).await?),
            (_, false) => Found::Governor(bench.governor(&arguments.governor).await?),
            _ => Found::Rows(Box::new(bench.run(&rows).await?)),
        })
    });
    terminal.finish();
    match found? {
        Found::Growth(report) => tell(&arguments, "bench-growth", &report, &report.text(), Some(&report.svg())),
        Found::Governor(report) => tell(&arguments, "bench-governor", &report, &report.text(), None),
        Found::Rows(report) => {
            tell(&arguments, "bench", &report, &report.text(), Some(&report.svg()))?;
            match report.comparison.as_ref().map_or(0, |comparison| comparison.differences()) {
                0 => Ok(()),
                differences => Err(BenchError::Unlike { differences }.into()),
            }
        }
    }
}

/// Prints the report, and writes it where that was asked for.
fn tell(
    arguments: &Arguments,
    name: &str,
    report: &impl Serialize,
    text: &str,
    svg: Option<&str>,
) -> Result<(), AnyFailure> {
    if let Some(folder) = &arguments.write {
        let write = |end: &str, content: &str| {
            let path = folder.join(format!("{name}.{end}"));
            write_whole(&path, content.as_bytes()).map_err(Message::of_file("write", &path))
        };
        write("json", &(serde_json::to_string_pretty(report).expect("plain data") + "\n"))?;
        if let Some(svg) = svg {
            write("svg", svg)?;
        }
    }
    if arguments.json {
        print_json(report);
    } else {
        print!("{text}");
    }
    Ok(())
}
