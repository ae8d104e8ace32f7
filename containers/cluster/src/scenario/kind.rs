//! Which scenarios there are: the tool's own, and those of a recipe.

use recipe::cluster::{Cluster, Nodes, Script};

use crate::Error;
use crate::draft::Draft;

/// Something that packages, or a cluster of them, have to go through.
#[derive(Clone, Debug)]
pub enum Scenario {
    /// Each package alone, and all together.
    Install,
    /// Each package comes and goes without a trace.
    Purge,
    /// A machine is upgraded, downgraded, cleared and set up again.
    Lifecycle,
    /// A scenario of the recipe's own, which is a script.
    Own(Script),
    /// The cluster comes up.
    Up,
    /// The units are no more exposed, as systemd counts it, than they may be.
    Exposure,
    /// The web interface works in a browser.
    Web,
    /// The recipe's frameworks run to their end.
    Frameworks,
    /// The leading master is killed, again and again.
    KillLeader,
    /// The nodes of what elects the leader stop, one at a time.
    StopEnsemble,
    /// The leading master's network is cut and healed.
    CutLeader,
    /// An agent is killed.
    KillAgent,
    /// The cluster is upgraded while it works.
    Upgrade,
    /// An agent's machine is unplugged from the network and plugged in again.
    Unplug,
    /// The machines boot again, one after the other.
    Reboot,
}

impl Scenario {
    /// All that there are for a recipe, in the order in which they are run: first those with nodes of their own, then
    /// those that share a cluster.
    fn all(cluster: &Cluster) -> Vec<Self> {
        let mut all = vec![Self::Install, Self::Purge, Self::Lifecycle];
        all.extend(cluster.scenarios.iter().cloned().map(Self::Own));
        all.extend([
            Self::Up,
            Self::Exposure,
            Self::Web,
            Self::Frameworks,
            Self::KillLeader,
            Self::StopEnsemble,
            Self::CutLeader,
            Self::KillAgent,
            Self::Upgrade,
            Self::Unplug,
            Self::Reboot,
        ]);
        all
    }

    /// The scenario's name, as on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Install => "install",
            Self::Purge => "purge",
            Self::Lifecycle => "lifecycle",
            Self::Own(script) => &script.name,
            Self::Up => "up",
            Self::Exposure => "exposure",
            Self::Web => "web",
            Self::Frameworks => "frameworks",
            Self::KillLeader => "kill-leader",
            Self::StopEnsemble => "stop-ensemble",
            Self::CutLeader => "cut-leader",
            Self::KillAgent => "kill-agent",
            Self::Upgrade => "upgrade",
            Self::Unplug => "unplug",
            Self::Reboot => "reboot",
        }
    }

    /// What is checked, as a line for people.
    pub fn checks(&self) -> &str {
        match self {
            Self::Install => "each package alone and all together; nothing is enabled, started or failed",
            Self::Purge => "each package: installed, upgraded, removed, purged; no stray file, no error",
            Self::Lifecycle => "upgrade, downgrade, remove, install again, purge; units and settings stay as they were",
            Self::Own(script) => &script.checks,
            Self::Up => "configured and enabled: units active, one leader, all agents registered",
            Self::Exposure => "systemd-analyze security: no unit is more exposed than it may be",
            Self::Web => "the web interface in a browser: agents, task; no error, no request to a foreign host",
            Self::Frameworks => "frameworks on the cluster come to a good end",
            Self::KillLeader => "kill -9 of the leader, ten times: a new one, all agents, the task goes on",
            Self::StopEnsemble => "nodes that elect stop and come back, one at a time: a leader, the task goes on",
            Self::CutLeader => "the leader's network is cut and healed: a new one, never two, the task goes on",
            Self::KillAgent => "kill -9 of the agent that runs the task: it comes back, the task goes on",
            Self::Unplug => "an agent's machine loses the network and gets it back: it registers, the task goes on",
            Self::Reboot => "the machines boot again and lose their power, one by one: a leader, all agents",
            Self::Upgrade => "node by node to a higher version and back: a leader, all agents, the task goes on",
        }
    }

    /// The scenarios with these names, or all if none is named, that a cluster has what is needed for, in the order in
    /// which they are run.
    ///
    /// # Errors
    /// There is no scenario of such a name, the recipe has given two the same name, or the cluster has what is needed
    /// for none of them.
    pub fn applying(draft: &Draft, wanted: &[String], machines: bool) -> Result<Vec<Self>, Error> {
        let all = Self::all(&draft.cluster);
        for (i, one) in all.iter().enumerate() {
            if all[..i].iter().any(|other| other.name() == one.name()) {
                let name = one.name();
                return Err(Error::Request(format!("scenario \"{name}\" of {}: choose another name", draft.recipe)));
            }
        }
        if let Some(unknown) = wanted.iter().find(|name| !all.iter().any(|one| one.name() == **name)) {
            let names: Vec<&str> = all.iter().map(Self::name).collect();
            return Err(Error::Request(format!(
                "there is no scenario {unknown} for {}: scenarios are {}",
                draft.recipe,
                names.join(", ")
            )));
        }
        let masters =
            draft.places.iter().filter(|place| draft.cluster.roles[place.role].nodes == Nodes::Masters).count();
        let mut found = all;
        found.retain(|one| {
            let named = wanted.iter().any(|name| name == one.name());
            (named || wanted.is_empty() && (!machines || one.is_worth_a_machine()))
                && one.applies(&draft.cluster, masters, machines)
        });
        if found.is_empty() {
            return Err(Error::Request(format!(
                "{}: not for {}, as the size is: it has nothing to try that with{}",
                wanted.join(", "),
                draft.recipe,
                if machines { "" } else { " (some scenarios need virtual machines: --vm)" }
            )));
        }
        Ok(found)
    }

    /// Whether it is run on virtual machines unless others are named: what containers tell as well, sooner, and with a
    /// machine for each package, is not.
    fn is_worth_a_machine(&self) -> bool {
        match self {
            Self::Own(script) => script.machine,
            Self::Install | Self::Purge | Self::Lifecycle | Self::Web | Self::Frameworks => false,
            _ => true,
        }
    }

    /// Whether a recipe, a number of masters, and nodes of this kind have what it needs.
    fn applies(&self, cluster: &Cluster, masters: usize, machines: bool) -> bool {
        match self {
            Self::Install | Self::Purge | Self::Lifecycle | Self::Up | Self::Upgrade => true,
            Self::Own(script) => machines || !script.machine,
            Self::Reboot => machines,
            Self::Unplug => machines && cluster.task.is_some(),
            Self::Exposure => cluster.roles.iter().any(|role| role.exposure.is_some()),
            Self::Web => !cluster.pages.is_empty(),
            Self::Frameworks => !cluster.frameworks.is_empty(),
            Self::KillAgent => cluster.task.is_some(),
            Self::KillLeader | Self::StopEnsemble | Self::CutLeader => cluster.task.is_some() && masters > 1,
        }
    }
}
