//! The life of a machine that is the whole cluster: its packages are upgraded and downgraded in every state that its
//! units can be in, removed, installed again, and purged.

use std::collections::BTreeMap;

use recipe::cluster::{Nodes, Role};

use super::traces::Files;
use super::versions::{Version, change, make_next};
use super::{Test, install, seconds};
use crate::node::Node;
use crate::record::{ClusterRecord, NodeRecord};
use crate::repository::NEXT;
use crate::up::{ELECTION, apt, elected, environment, start};
use crate::{Error, layout};

/// What an administrator may have said of a unit. The last one is what the machine is in when its packages are removed.
const STATES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Where a node keeps what was seen of its settings.
const SETTINGS: &str = "/root/settings";

/// An administrator's change of a file that is not changed otherwise, and note of all files below /etc that are the
/// administrator's: changed conffiles, and those that were not there before.
const NOTE_SETTINGS: &str = r#"
conffiles=$(dpkg-query --show --showformat='${Conffiles}\n' $PACKAGES 2>/dev/null | sed -n 's,^ \(/[^ ]*\) .*,\1,p' | sort)
first=$(echo "$conffiles" | head -n 1)
[ -z "$first" ] || echo '# The administrator was here.' >>"$first"
find /etc -type f -newer /root/began ! -path '/etc/apt/*' ! -path '/etc/systemd/*' ! -name 'ld.so.cache*' \
    -exec sha256sum {} + >"$SETTINGS"
for file in $conffiles; do
    grep -qF "  $file" "$SETTINGS" || echo "$file"
done >"$SETTINGS.untouched"
"#;

/// Fails where a file of the administrator's is not what it was; where the package's newer one is not beside it; or where a
/// conffile that nobody has touched is not the version's.
const LOOK_AT_SETTINGS: &str = r#"
sha256sum --quiet --check "$SETTINGS"
for file in $(cat "$SETTINGS.untouched"); do
    if grep -q "^# In version .*$NEXT" "$file"; then found=next; else found=shipped; fi
    [ "$found" = "$VERSION" ] || { echo "$file, which nobody had changed, is not that of the $VERSION version"; exit 1; }
done
[ "$VERSION" = next ] || exit 0
for file in $(dpkg-query --show --showformat='${Conffiles}\n' $PACKAGES 2>/dev/null | sed -n 's,^ \(/[^ ]*\) .*,\1,p'); do
    grep -qF "  $file" "$SETTINGS" || continue
    grep -q "$NEXT" "$file.dpkg-dist" || { echo "the new version of $file is not in $file.dpkg-dist"; exit 1; }
done
"#;

/// The machine, and what it is made for.
struct Machine<'a> {
    test: &'a Test<'a>,
    node: Node,
    roles: Vec<(usize, &'a Role)>,
    record: ClusterRecord,
    environment: BTreeMap<String, String>,
}

/// Puts a node through the life of a machine; returns what was measured, and what stays after a purge.
///
/// # Errors
/// apt-get fails, or a unit, setting or file is afterwards not what it should be.
pub async fn run(test: &Test<'_>) -> Result<Vec<String>, Error> {
    let (node, address) = test.boot(&["lifecycle"]).await?.remove(0);
    make_next(test, std::slice::from_ref(&node)).await?;
    let machine = Machine::new(test, node, &address);
    let figures = machine.live().await?;
    test.clear().await?;
    Ok(figures)
}

impl<'a> Machine<'a> {
    fn new(test: &'a Test<'a>, node: Node, address: &str) -> Self {
        let cluster = &test.draft.cluster;
        let works = |(_, role): &(usize, &Role)| matches!(role.nodes, Nodes::Masters | Nodes::Agents);
        let roles: Vec<(usize, &Role)> = cluster.roles.iter().enumerate().filter(works).collect();
        let mut environment = environment(&layout::alone(cluster, &node.name), &node, 1, address);
        environment.extend(
            [("PACKAGES", test.packages().join(" ")), ("SETTINGS", SETTINGS.to_owned()), ("NEXT", NEXT.to_owned())]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut record = test.draft.record();
        record.nodes = roles
            .iter()
            .map(|(_, role)| NodeRecord {
                name: node.name.clone(),
                role: role.name.clone(),
                kind: role.nodes,
                place: node.place(),
                address: address.to_owned(),
                units: role.units.clone(),
            })
            .collect();
        Self { test, node, roles, record, environment }
    }

    fn units(&self) -> Vec<&str> {
        self.roles.iter().flat_map(|(_, role)| role.units.iter().map(String::as_str)).collect()
    }

    fn packages(&self) -> Vec<String> {
        self.roles.iter().flat_map(|(_, role)| role.packages.clone()).collect()
    }

    async fn step(&self, step: &str, script: &str) -> Result<String, Error> {
        self.node.step(step, &format!("set -eu\n{script}"), &self.environment).await
    }

    async fn live(&self) -> Result<Vec<String>, Error> {
        let before = Files::of(&self.node).await?;
        // What is changed from now on is the administrator's.
        self.step("noting the time", "touch /root/began && sleep 0.1").await?;
        crate::up::install(&self.node, &self.packages()).await?;
        for (index, role) in &self.roles {
            start(&self.node, role, self.test.draft.configure(*index), self.environment.clone()).await?;
        }
        self.works().await?;
        self.step("changing a setting", NOTE_SETTINGS).await?;
        let started = std::time::Instant::now();
        for state in STATES {
            self.set(state).await?;
            for version in [Version::Next, Version::Shipped] {
                change(self.test, &self.node, version).await?;
                self.look(state, version).await?;
            }
        }
        let mean = started.elapsed().as_secs_f64() / (2 * STATES.len()) as f64;
        self.works().await?;
        self.remove().await?;
        self.install_again().await?;
        self.purge(&before).await?;
        let kept = &self.test.draft.cluster.kept_by_purge;
        Ok(vec![
            format!("{} upgrades and downgrades, {} each", 2 * STATES.len(), seconds(mean)),
            format!("purge keeps {}", if kept.is_empty() { "nothing".into() } else { kept.join(", ") }),
        ])
    }

    /// The master leads, and the agent is registered.
    async fn works(&self) -> Result<(), Error> {
        elected(&self.test.ground.engine, &self.record, ELECTION).await?;
        Ok(())
    }

    async fn set(&self, (enabled, running): (bool, bool)) -> Result<(), Error> {
        let enable = if enabled { "enable" } else { "disable" };
        let start = if running { "start" } else { "stop" };
        let units = self.units().join(" ");
        // An administrator does in weeks what is done here in seconds, and systemd 257, unlike 252, counts the starts of a unit
        // that was stopped meanwhile, too. A unit that it has forgotten has nothing to set back.
        let forgive = format!("systemctl reset-failed {units} 2>/dev/null || true");
        let script = format!("systemctl --quiet {enable} {units} 2>&1; {forgive}; systemctl {start} {units}");
        self.step(&format!("systemctl {enable}, {start}"), &script).await?;
        Ok(())
    }

    /// Fails unless units and settings are as the administrator has left them.
    async fn look(&self, (enabled, running): (bool, bool), version: Version) -> Result<(), Error> {
        let name = if version == Version::Next { "next" } else { "shipped" };
        let enabled = if enabled { "enabled" } else { "disabled" };
        let active = if running { "active" } else { "inactive" };
        let script = format!(
            "failed=$(systemctl --failed --plain --no-legend); [ -z \"$failed\" ] || {{ echo \"$failed\"; exit 1; }}
            for unit in {}; do
                found=\"$(systemctl is-enabled $unit || :) $(systemctl is-active $unit || :)\"
                [ \"$found\" = '{enabled} {active}' ] || {{ echo \"$unit was {enabled} {active}, and is $found\"; exit 1; }}
            done",
            self.units().join(" ")
        );
        self.step(&format!("looking at the units after a change to the {name} version"), &script).await?;
        let script = format!("VERSION={name}\n{LOOK_AT_SETTINGS}");
        self.step(&format!("looking at the settings after a change to the {name} version"), &script).await?;
        Ok(())
    }

    /// Removes the packages of a machine that works.
    async fn remove(&self) -> Result<(), Error> {
        let units = self.units().join(" ");
        // Folders that systemd keeps for the units, to one level: what a daemon writes while it ends is its own business.
        let state = format!(
            "for folder in $(systemctl show --property=StateDirectory --value {units}); do
                find -H /var/lib/$folder -maxdepth 1
            done | sort"
        );
        let before = self.step("listing the state", &state).await?;
        let pids =
            self.step("asking for the daemons", &format!("systemctl show --property=MainPID --value {units}")).await?;
        apt(&self.node, &format!("remove {}", self.test.packages().join(" "))).await?;
        install::quiet(self.test, &self.node, "the packages were removed").await?;
        let folders: Vec<&str> = before.lines().collect();
        let script = format!(
            "sha256sum --quiet --check {SETTINGS}
            for path in {}; do [ -e $path ] || {{ echo \"$path is gone\"; exit 1; }}; done
            for pid in {}; do [ ! -e /proc/$pid ] || {{ echo \"the daemon runs on: $(cat /proc/$pid/comm)\"; exit 1; }}; done",
            folders.join(" "),
            pids.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        self.step("looking at settings, state and daemons after apt-get remove", &script).await?;
        Ok(())
    }

    /// What was enabled is enabled, nothing was started, and what is started finds its settings and state.
    async fn install_again(&self) -> Result<(), Error> {
        crate::up::install(&self.node, &self.packages()).await?;
        self.look((true, false), Version::Shipped).await?;
        self.set((true, true)).await?;
        self.works().await
    }

    async fn purge(&self, before: &Files) -> Result<(), Error> {
        let kept = &self.test.draft.cluster.kept_by_purge;
        apt(&self.node, &format!("purge {}", self.test.packages().join(" "))).await?;
        install::quiet(self.test, &self.node, "the packages were purged").await?;
        let after = Files::of(&self.node).await?;
        before.same_after(&self.node, "looking for what is left after apt-get purge", &after, kept)
    }
}
