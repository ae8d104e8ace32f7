//! A scenario of the recipe: its script, on a node of its own.

use recipe::cluster::Script;

use super::{Outcome, Test};
use crate::node::tail;
use crate::up::{boot, environment, install, prepare};
use crate::{Error, down, layout, repository};

/// The functions that every script can call.
const CHECKS: &str = include_str!("../../assets/scenario.sh");
/// How long a script may take, in seconds.
const LIMIT: u32 = 600;
/// By which exit status a script says that the machine cannot do what it is about (automake's word for tests).
const SKIPPED: i64 = 77;

/// Runs the script on a new node; what it prints are the figures, or the reason where it says that the machine cannot
/// tell.
///
/// # Errors
/// The script fails or takes longer than ten minutes, or the packages that it needs cannot be installed.
pub async fn run(test: &Test<'_>, script: &Script) -> Result<Outcome, Error> {
    down(test.engine, test.store, &test.draft.name).await?;
    prepare(test.engine, &test.names, test.draft, test.root, test.progress).await?;
    let nodes = boot(test.engine, &test.names, test.root, &[&script.name]).await?;
    let (node, address) = nodes.first().expect("one was asked for");
    // Also where nothing is installed: a script may install from the repository itself.
    install(node, &script.packages).await?;
    let mut environment = environment(&layout::alone(&test.draft.cluster, &node.name), node, 1, address);
    environment.insert("PACKAGES".into(), repository::FOLDER.into());
    environment.insert("SCRIPT".into(), test.draft.script(&format!("{CHECKS}\n{}", test.draft.scenario(script))));
    let step = format!("scenarios/{} of the recipe", script.name);
    let ran = node.shell(&format!("cd /tmp && timeout {LIMIT} sh -c \"$SCRIPT\" scenario"), &environment).await?;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let outcome = match ran.exit {
        0 => Outcome::Passed(lines),
        SKIPPED => Outcome::Skipped(lines.join(" ")),
        exit => {
            let tail = tail(&(said + &String::from_utf8_lossy(&ran.stderr)));
            return Err(Error::Step { node: node.name.clone(), step, exit, tail });
        }
    };
    down(test.engine, test.store, &test.draft.name).await?;
    Ok(outcome)
}
