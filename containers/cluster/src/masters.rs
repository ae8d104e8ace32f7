//! What the masters know of the cluster: who of them leads, and how many agents are registered.

use std::collections::BTreeMap;

use engine::Engine;
use recipe::cluster::{Nodes, State};
use serde_json::Value;

use super::node::Node;
use super::record::ClusterRecord;

/// What one master said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether this master leads.
    pub leads: bool,
    /// How many agents are registered with it; of no meaning where it does not lead.
    pub agents: u64,
}

/// The masters, in order, each with its answer if it gave one.
pub type View = Vec<(String, Option<Answer>)>;

/// A shell command that asks a master: it prints the answer's body, a line feed and the status.
pub fn question(state: &State, address: &str) -> String {
    format!("curl --silent --max-time 2 --write-out '\\n%{{http_code}}' http://{address}:{}{}", state.port, state.path)
}

/// Understands what [`question`] printed, also where its lines were joined. A master that does not lead may answer with
/// a redirection.
pub fn understand(state: &State, printed: &str) -> Option<Answer> {
    let (body, status) = printed.trim_end().rsplit_once([' ', '\n'])?;
    let follows = Answer { leads: false, agents: 0 };
    match status {
        "200" => {}
        "301" | "302" | "307" | "308" => return Some(follows),
        _ => return None,
    }
    let body: Value = serde_json::from_str(body).ok()?;
    let leads = match &state.leads {
        Some(pointer) => body.pointer(pointer).is_some_and(|value| !value.is_null()),
        None => true,
    };
    let agents = match body.pointer(&state.agents) {
        Some(Value::Array(list)) => list.len() as u64,
        Some(number) => number.as_f64().map_or(0, |number| number as u64),
        None => 0,
    };
    Some(Answer { leads, agents })
}

/// Asks every master, on its own node.
pub async fn ask(engine: &Engine, record: &ClusterRecord) -> View {
    let asked = record.of(Nodes::Masters).into_iter().map(|master| async move {
        let node = Node::of(engine, master);
        let output = node.shell(&question(&record.state, &master.address), &BTreeMap::new()).await.ok();
        let answer = output.and_then(|output| understand(&record.state, &String::from_utf8_lossy(&output.stdout)));
        (master.name.clone(), answer)
    });
    futures_util::future::join_all(asked).await
}

/// The only leader; none where there is none or more than one.
pub fn leader(view: &View) -> Option<(&str, &Answer)> {
    let mut leaders = view.iter().filter_map(|(name, answer)| {
        let answer = answer.as_ref().filter(|answer| answer.leads)?;
        Some((name.as_str(), answer))
    });
    leaders.next().filter(|_| leaders.next().is_none())
}

/// What was seen, for people: `master1 leads with 2 agents, master2 follows, master3 does not answer`.
pub fn describe(view: &View) -> String {
    let one = |(name, answer): &(String, Option<Answer>)| match answer {
        Some(Answer { leads: true, agents }) => format!("{name} leads with {agents} agents"),
        Some(_) => format!("{name} follows"),
        None => format!("{name} does not answer"),
    };
    view.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(leads: Option<&str>, agents: &str) -> State {
        State { port: 5050, path: "/state".into(), leads: leads.map(str::to_owned), agents: agents.into() }
    }

    #[test]
    fn answers_of_masters() {
        let elected = state(Some("/elected_time"), "/activated_slaves");
        let leads = |agents| Some(Answer { leads: true, agents });
        let follows = Some(Answer { leads: false, agents: 0 });
        for (printed, expected) in [
            ("{\"elected_time\":1.5,\"activated_slaves\":2.0}\n200", leads(2)),
            ("{\"activated_slaves\":0}\n200", follows.clone()),
            ("\n307", follows),
            ("\n503", None),
            ("\n000", None),
            ("garbage\n200", None),
            ("", None),
        ] {
            assert_eq!(understand(&elected, printed), expected, "{printed}");
        }
        assert_eq!(understand(&state(None, "/list"), "{\"list\":[1,2,3]}\n200"), leads(3));
    }

    #[test]
    fn two_leaders_are_no_leader() {
        let answer = |leads| Some(Answer { leads, agents: 1 });
        let view = |states: [Option<Answer>; 3]| -> View {
            ["master1", "master2", "master3"].map(str::to_owned).into_iter().zip(states).collect()
        };
        let one = view([answer(false), answer(true), None]);
        assert_eq!(leader(&one).unwrap().0, "master2");
        assert_eq!(describe(&one), "master1 follows, master2 leads with 1 agents, master3 does not answer");
        assert_eq!(leader(&view([answer(true), answer(true), None])), None);
        assert_eq!(leader(&view([None, None, None])), None);
    }
}
