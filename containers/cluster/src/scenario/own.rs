//! A scenario of the recipe: its script, on a node of its own.

use recipe::cluster::Script;

use super::{Outcome, Test, otherwise};
use crate::ground::booted;
use crate::machine::Again;
use crate::node::{Node, tail};
use crate::up::{environment, install};
use crate::{Error, layout, repository};

/// The functions that every script can call.
const CHECKS: &str = include_str!("../../assets/scenario.sh");
/// How long a script may take, in seconds.
const LIMIT: u32 = 600;
/// How often a script tries what has to come about, twice a second.
const TRIES: u32 = 60;
/// How many times as long where a processor may be emulated.
const SLOWER: u32 = 6;
/// By which exit status a script says that the machine cannot do what it is about (automake's word for tests).
const SKIPPED: i64 = 77;
/// By which exit status a script asks for what only somebody outside of its machine can do; what it is, it has written down.
const OUTSIDE: i64 = 76;
/// How often it may ask.
const MOST_STAGES: u32 = 9;

/// Runs the script on a new node; what it prints are the figures, or the reason where it says that the machine cannot
/// tell. Whenever it asks for something from outside, that is done, and the script is run once more, as the next stage.
///
/// # Errors
/// The script fails or takes longer than ten minutes (an hour on a virtual machine), the packages that it needs cannot
/// be installed, or the machine does not boot again.
pub async fn run(test: &Test<'_>, script: &Script) -> Result<Outcome, Error> {
    let nodes = test.boot(&[&script.name]).await?;
    let (node, address) = nodes.first().expect("one was asked for");
    // Also where nothing is installed: a script may install from the repository itself.
    install(node, &script.packages).await?;
    let mut environment = environment(&layout::alone(&test.draft.cluster, &node.name), node, 1, address);
    environment.insert("PACKAGES".into(), repository::FOLDER.into());
    environment.insert("SCRIPT".into(), test.draft.script(&format!("{CHECKS}\n{}", test.draft.scenario(script))));
    let step = format!("scenarios/{} of the recipe", script.name);
    let slower = if test.ground.is_machines() { SLOWER } else { 1 };
    let limit = slower * LIMIT;
    environment.insert("TRIES".into(), (slower * TRIES).to_string());
    let mut lines = Vec::new();
    for stage in 1..=MOST_STAGES {
        environment.insert("STAGE".into(), stage.to_string());
        let ran = node.shell(&format!("cd /tmp && timeout {limit} sh -c \"$SCRIPT\" scenario"), &environment).await?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        lines.extend(said.lines().map(str::to_owned));
        match ran.exit {
            0 => {
                test.clear().await?;
                return Ok(Outcome::Passed(lines));
            }
            SKIPPED => {
                test.clear().await?;
                return Ok(Outcome::Skipped(lines.join(" ")));
            }
            OUTSIDE => from_outside(node, &step).await?,
            exit => {
                // What was measured before says as much as what went wrong, however much that has printed.
                let tail = format!("{}\n{}", tail(&lines.join("\n")), tail(&String::from_utf8_lossy(&ran.stderr)));
                let tail = tail.trim().to_owned();
                return Err(Error::Step { node: node.name.clone(), step, exit, tail });
            }
        }
    }
    Err(otherwise(&node.name, &step, format!("it asked for something from outside {MOST_STAGES} times")))
}

/// Does what a script has asked for.
async fn from_outside(node: &Node, step: &str) -> Result<(), Error> {
    let wish = node.step(step, "cat /run/outside", &Default::default()).await?;
    let how = match wish.trim() {
        "reboot" => Again::Reboot,
        "power-cut" => Again::PowerCut,
        other => return Err(otherwise(&node.name, step, format!("nobody knows how to do '{other}' from outside"))),
    };
    node.as_machine()?.again(how).await?;
    booted(node).await
}
