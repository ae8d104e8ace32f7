//! `cargo xtask cluster`: a cluster of the packages, in containers with systemd or in virtual machines.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Instant;

use clap::{Args, Subcommand};
use cluster::{ClusterName, ClusterRecord, Draft, Finding, Ground, MachineOptions, Request, Scenario, Size, Status};
use engine::Engine;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::Store;
use pipeline::Options;
use recipe::cluster::Nodes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::{Subject, block_on_or, engine, locked_store, remove_own, wait_for};
use crate::commands::package::default_dist;
use crate::say::{self, Stream};
use crate::terminal::{Terminal, duration, print_json};

/// The commands of `cargo xtask cluster`.
#[derive(Subcommand)]
pub enum Command {
    /// Make a cluster: nodes with systemd, the packages installed by apt, configured, enabled and started
    Up(UpArguments),
    /// Tell the nodes, their addresses and units, and who leads
    Status(StatusArguments),
    /// Run a command on a node; its exit status is that of this command
    Exec(ExecArguments),
    /// Print the journal of a node
    Logs(LogsArguments),
    /// Put a cluster of the packages through its scenarios: install, frameworks, failovers
    Test(TestArguments),
    /// Remove a cluster and everything that it had in the engine
    Down(DownArguments),
}

/// The cluster that a command is about.
#[derive(Args, Clone)]
pub struct Which {
    /// Name of the cluster, for more than one at the same time
    #[arg(long, value_name = "NAME", default_value = "trial")]
    name: ClusterName,
}

/// What the nodes of a cluster are.
#[derive(Args, Clone)]
pub struct NodeArguments {
    /// Nodes are virtual machines of the target's own kernel, under QEMU: with KVM where that works, else emulated
    #[arg(long)]
    vm: bool,
    /// Memory of each virtual machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024, requires = "vm", value_parser = clap::value_parser!(u32).range(256..))]
    vm_memory: u32,
    /// Further options of the virtual machines' kernel, such as systemd.unified_cgroup_hierarchy=0
    #[arg(long, value_name = "OPTIONS", requires = "vm", allow_hyphen_values = true)]
    vm_kernel: Option<String>,
}

/// The arguments of `cargo xtask cluster up`.
#[derive(Args)]
pub struct UpArguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    nodes: NodeArguments,
    /// Masters: one, or an odd number with as many nodes of ZooKeeper
    #[arg(long, value_name = "N", default_value_t = 1)]
    masters: u32,
    /// Agents
    #[arg(long, value_name = "N", default_value_t = 2)]
    agents: u32,
    /// Folder with the packages; the default is dist/RELEASE-ARCH
    #[arg(long, value_name = "FOLDER")]
    dist: Option<PathBuf>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// The arguments of `cargo xtask cluster test`.
#[derive(Args)]
pub struct TestArguments {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    nodes: NodeArguments,
    /// Only this scenario; may be given more than once
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// Masters; the default is three, or one of virtual machines or where nothing elects a leader
    #[arg(long, value_name = "N")]
    masters: Option<u32>,
    /// Agents
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    agents: u32,
    /// Folder with the packages; the default is dist/RELEASE-ARCH
    #[arg(long, value_name = "FOLDER")]
    dist: Option<PathBuf>,
    /// Folder for the journals of what failed; the default is dist/cluster/RELEASE-ARCH
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    /// Name of the cluster, which is made for the test and removed afterwards
    #[arg(long, value_name = "NAME", default_value = "test")]
    name: ClusterName,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `cargo xtask cluster status`.
#[derive(Args)]
pub struct StatusArguments {
    #[command(flatten)]
    which: Which,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `cargo xtask cluster down`.
#[derive(Args)]
pub struct DownArguments {
    #[command(flatten)]
    which: Which,
    /// Print it as JSON on one line
    #[arg(long)]
    json: bool,
}

/// A cluster that is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Down {
    /// Its name.
    name: String,
    /// How many virtual machines, and containers, networks and volumes of the engine, were removed.
    removed: usize,
}

/// The arguments of `cargo xtask cluster exec`.
#[derive(Args)]
pub struct ExecArguments {
    #[command(flatten)]
    which: Which,
    /// The node, such as master1
    node: String,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// The arguments of `cargo xtask cluster logs`.
#[derive(Args)]
pub struct LogsArguments {
    #[command(flatten)]
    which: Which,
    /// The node, such as master1
    node: String,
}

/// Runs one of these commands.
///
/// # Errors
/// The command's own part fails; `exec` and `logs` hand the exit status of what they ran on.
pub fn run(command: Command) -> Result<(), AnyFailure> {
    match command {
        Command::Up(arguments) => up(arguments),
        Command::Status(arguments) => status(&arguments),
        Command::Exec(arguments) => on_node(&arguments.which, &arguments.node, Some(&arguments.command)),
        Command::Logs(arguments) => on_node(&arguments.which, &arguments.node, None),
        Command::Test(arguments) => test(arguments),
        Command::Down(arguments) => down(&arguments),
    }
}

fn up(arguments: UpArguments) -> Result<(), AnyFailure> {
    let started = Instant::now();
    let terminal = Terminal::new(arguments.json);
    let options = arguments.subject.options()?;
    let dist = default_dist(options.recipe.handle(), &options.target.name.file_stem());
    let request = Request {
        name: arguments.which.name,
        size: Size { masters: arguments.masters, agents: arguments.agents, clients: 0 },
        dist: arguments.dist.unwrap_or(dist),
    };
    let store = Store::open(None)?;
    let draft = Draft::new(&options, &request)?;
    let what = format!("cluster up --name {}", request.name);
    let _cluster_lock = cluster::lock(&store, &request.name, &what)?;
    draft.refuse_existing(&store)?;
    let made = block_on_or(undo(&store, &request.name), async || {
        let ground = ground(&options, &request.name, &arguments.nodes, arguments.setup, &what, &terminal).await?;
        Ok(cluster::up(&ground, &draft, &terminal).await?)
    });
    terminal.finish();
    let (record, leader) = made?;
    if arguments.json {
        let engine_status = async || Ok(cluster::status(&Engine::find().await?, &store, &record.name).await?);
        print_json(&wait_for(engine_status)?);
    } else {
        print!("{}", described(&record, &leader, started.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// What the cluster's nodes stand on. Afterwards the store is free again: a build may go on beside a cluster.
async fn ground(
    options: &Options,
    name: &ClusterName,
    nodes: &NodeArguments,
    setup: bool,
    what: &str,
    terminal: &Terminal,
) -> Result<Ground, AnyFailure> {
    let (store, held) = locked_store(what, terminal)?;
    let engine = engine(&store, &held, setup, terminal).await?;
    if !nodes.vm {
        let root = pipeline::node_root(&engine, &store, options, terminal).await?;
        return Ok(Ground::containers(&engine, &store, name, &root));
    }
    let root = pipeline::machine_root(&engine, &store, options, terminal).await?;
    let disk = pipeline::machine_disk(&engine, &store, &root, terminal).await?;
    let machine = MachineOptions { memory: nodes.vm_memory, kernel: nodes.vm_kernel.clone().unwrap_or_default() };
    Ok(Ground::machines(&engine, &store, name, (&root, disk), machine, terminal).await?)
}

/// What an interrupt does: removes the cluster that is being made.
fn undo(store: &Store, name: &ClusterName) -> impl FnOnce(Engine) -> Undoing + Send + 'static {
    let (store, name) = (store.clone(), name.clone());
    move |engine| {
        Box::pin(async move {
            remove_own(&engine, &store).await;
            let _ = cluster::down(&engine, &store, &name).await;
        })
    }
}

type Undoing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What came up, and what to do with it.
pub fn described(record: &ClusterRecord, leader: &str, seconds: f64) -> String {
    let name = &record.name;
    let nodes: Vec<&str> = record.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut text = format!("\nthe cluster {name} is up: {} ({})\n", nodes.join(", "), duration(seconds));
    if let Some(address) = record.web.get(leader) {
        text += &format!("web interface of {leader}, which leads: {address}\n");
    }
    let option = if name.to_string() == "trial" { String::new() } else { format!(" --name {name}") };
    text += &format!(
        "`cargo xtask cluster status{option}` tells the others and who leads later, `cluster down{option}` removes it\n"
    );
    text
}

/// Runs the scenarios, and tells what came of each.
fn test(arguments: TestArguments) -> Result<(), AnyFailure> {
    let started = Instant::now();
    let terminal = Terminal::new(false);
    let options = arguments.subject.options()?;
    let dist =
        arguments.dist.unwrap_or_else(|| default_dist(options.recipe.handle(), &options.target.name.file_stem()));
    let elects = options.recipe.file.cluster.as_ref().is_some_and(|cluster| cluster.role(Nodes::Ensemble).is_some());
    // An ensemble of virtual machines is much for one host.
    let masters = arguments.masters.unwrap_or(if elects && !arguments.nodes.vm { 3 } else { 1 });
    let size = Size { masters, agents: arguments.agents, clients: 1 };
    let results = arguments.results.unwrap_or_else(|| cluster::results_beside(&dist));
    let draft = Draft::new(&options, &Request { name: arguments.name.clone(), size, dist })?;
    let scenarios = Scenario::applying(&draft, &arguments.only, arguments.nodes.vm)?;
    let store = Store::open(None)?;
    let what = format!("cluster test --name {}", arguments.name);
    let _cluster_lock = cluster::lock(&store, &arguments.name, &what)?;
    draft.refuse_existing(&store)?;
    let findings = block_on_or(undo(&store, &arguments.name), async || {
        let ground = ground(&options, &arguments.name, &arguments.nodes, arguments.setup, &what, &terminal).await?;
        Ok(cluster::test(&ground, &draft, &scenarios, &results, &terminal).await?)
    });
    terminal.finish();
    let findings = findings?;
    if arguments.json {
        print_json(&findings);
    } else {
        print!("{}", findings_table(&findings));
        println!("\n{} scenarios in {}", findings.len(), duration(started.elapsed().as_secs_f64()));
    }
    match findings.iter().filter(|finding| finding.failure.is_some()).count() {
        0 => Ok(()),
        failed => {
            let sentence = format!("{failed} of {} scenarios failed", findings.len());
            let next = format!("the nodes' journals are in {}", results.display());
            Err(Message::new(sentence, Kind::Failed.next(next)).into())
        }
    }
}

/// What came of the scenarios, for people.
pub fn findings_table(findings: &[Finding]) -> String {
    let wide = |text: fn(&Finding) -> &str| findings.iter().map(|one| text(one).chars().count()).max().unwrap_or(0);
    let name = wide(|finding| &finding.scenario).max("scenario".len());
    let checks = wide(|finding| &finding.checks);
    let mut text = format!("\n{:<name$}  {:<checks$}  {:>12}  verdict\n", "scenario", "checked", "time");
    for finding in findings {
        let verdict = match finding {
            Finding { failure: Some(_), .. } => "FAILED",
            Finding { skipped: Some(_), .. } => "skipped",
            _ => "passed",
        };
        let time = duration(finding.seconds);
        text += &format!("{:<name$}  {:<checks$}  {time:>12}  {verdict}\n", finding.scenario, finding.checks);
        let figures = finding.figures.iter().map(String::as_str);
        let reasons = finding.skipped.iter().chain(&finding.failure).flat_map(|reason| reason.lines());
        for line in figures.chain(reasons) {
            text += &format!("{:<name$}    {line}\n", "");
        }
        if let Some(journals) = &finding.journals {
            text += &format!("{:<name$}    the nodes' journals are in {}\n", "", journals.display());
        }
    }
    text
}

fn status(arguments: &StatusArguments) -> Result<(), AnyFailure> {
    let store = Store::open(None)?;
    let status = wait_for(async || {
        let engine = Engine::find().await?;
        Ok(cluster::status(&engine, &store, &arguments.which.name).await?)
    })?;
    if arguments.json {
        print_json(&status);
    } else {
        print!("{}", table(&status));
    }
    Ok(())
}

/// The nodes of a cluster, for people.
pub fn table(status: &Status) -> String {
    let unfinished = if status.up { "" } else { " (it never came up: `cluster up` makes it anew)" };
    let mut text = format!("cluster {} of {} for {}{unfinished}\n\n", status.name, status.recipe, status.target);
    text += &format!("{:<10}  {:<15}  {:<30}  state\n", "node", "address", "units");
    for node in &status.nodes {
        let units: Vec<String> = node.units.iter().map(|unit| format!("{} {}", unit.unit, unit.active)).collect();
        let units = if units.is_empty() { "does not run".to_owned() } else { units.join(", ") };
        let state = match (node.leads, node.agents) {
            (Some(true), Some(agents)) => format!("leads, {agents} agents"),
            (Some(false), _) => "follows".into(),
            _ => String::new(),
        };
        let web = node.web.as_deref().unwrap_or_default();
        let line = format!("{:<10}  {:<15}  {units:<30}  {state}  {web}", node.name, node.address);
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Runs a command on a node, or prints its journal.
fn on_node(which: &Which, node: &str, command: Option<&[String]>) -> Result<(), AnyFailure> {
    let store = Store::open(None)?;
    let name = &which.name;
    let status = wait_for(async || {
        let engine = Engine::find().await?;
        let hand_on = |piece: cluster::Piece| {
            use cluster::Piece;
            match piece {
                Piece::StdErr { message } => say::write(Stream::Errors, &message),
                other => say::write(Stream::Output, other.as_ref()),
            }
        };
        Ok(match command {
            Some(command) => {
                let command: Vec<&str> = command.iter().map(String::as_str).collect();
                cluster::exec(&engine, &store, name, node, &command, hand_on).await?
            }
            None => cluster::logs(&engine, &store, name, node, hand_on).await?,
        })
    })?;
    match status {
        0 => Ok(()),
        status => Err(Message::handed_on(u8::try_from(status).unwrap_or(1)).into()),
    }
}

fn down(DownArguments { which, json }: &DownArguments) -> Result<(), AnyFailure> {
    let store = Store::open(None)?;
    let _lock = cluster::lock(&store, &which.name, &format!("cluster down --name {}", which.name))?;
    let removed = wait_for(async || {
        let engine = Engine::find().await?;
        Ok(cluster::down(&engine, &store, &which.name).await?)
    })?;
    if *json {
        print_json(&Down { name: which.name.to_string(), removed });
    } else {
        println!("removed {removed} machines, containers, networks and volumes of the cluster {}", which.name);
    }
    Ok(())
}
