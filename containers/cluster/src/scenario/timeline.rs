//! What was seen of the masters over time, and what follows from it.

use crate::masters::Answer;

/// What a master said at a time, in seconds since 1970 on the clock of the nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name of the master that was asked.
    pub master: String,
    /// When it was asked, in seconds since 1970.
    pub at: f64,
    /// What it said; none if it did not answer.
    pub answer: Option<Answer>,
}

/// Samples in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Timeline(Vec<Sample>);

/// A time during which every answer of a master was that it leads.
struct Reign<'a> {
    master: &'a str,
    from: f64,
    to: f64,
}

impl Timeline {
    /// A timeline of samples that come in any order.
    pub fn new(mut samples: Vec<Sample>) -> Self {
        samples.sort_by(|a, b| a.at.total_cmp(&b.at));
        Self(samples)
    }

    fn leading(&self, after: f64) -> impl Iterator<Item = (&Sample, &Answer)> {
        let later = self.0.iter().filter(move |sample| sample.at > after);
        later.filter_map(|sample| Some((sample, sample.answer.as_ref().filter(|answer| answer.leads)?)))
    }

    /// How many seconds after `from` a master led, other than `except`.
    pub fn led_after(&self, from: f64, except: Option<&str>) -> Option<f64> {
        let (sample, _) = self.leading(from).find(|(sample, _)| Some(sample.master.as_str()) != except)?;
        Some(sample.at - from)
    }

    /// How many seconds after `from` a master led with so many agents registered, other than `except`.
    pub fn agents_after(&self, from: f64, agents: u64, except: Option<&str>) -> Option<f64> {
        let led =
            |(sample, answer): &(&Sample, &Answer)| Some(sample.master.as_str()) != except && answer.agents == agents;
        Some(self.leading(from).find(led)?.0.at - from)
    }

    /// How many seconds after `from` a master was last seen leading.
    pub fn last_led_after(&self, from: f64, master: &str) -> Option<f64> {
        let (sample, _) = self.leading(from).filter(|(sample, _)| sample.master == master).last()?;
        Some(sample.at - from)
    }

    /// Whether the masters were watched for more than so many seconds after `from`.
    pub fn goes_beyond(&self, from: f64, seconds: f64) -> bool {
        self.0.last().is_some_and(|sample| sample.at > from + seconds)
    }

    /// The longest time after `from`, in seconds, during which nobody was seen leading.
    pub fn longest_without(&self, from: f64) -> f64 {
        let mut last = from;
        let mut longest: f64 = 0.0;
        for (sample, _) in self.leading(from) {
            longest = longest.max(sample.at - last);
            last = sample.at;
        }
        let end = self.0.last().map_or(from, |sample| sample.at);
        longest.max(end - last)
    }

    /// The longest time in seconds during which two masters were seen leading; none if that was never so.
    pub fn two_leaders(&self) -> Option<f64> {
        let reigns = self.reigns();
        let mut worst: Option<f64> = None;
        for (i, one) in reigns.iter().enumerate() {
            for other in reigns[i + 1..].iter().filter(|other| other.master != one.master) {
                let overlap = one.to.min(other.to) - one.from.max(other.from);
                if overlap >= 0.0 {
                    worst = Some(worst.map_or(overlap, |worst| worst.max(overlap)));
                }
            }
        }
        worst
    }

    fn reigns(&self) -> Vec<Reign<'_>> {
        let mut reigns: Vec<Reign> = Vec::new();
        let mut leading: Vec<(&str, usize)> = Vec::new();
        for sample in &self.0 {
            let master = sample.master.as_str();
            let open = leading.iter().position(|(name, _)| *name == master);
            let leads = sample.answer.as_ref().is_some_and(|answer| answer.leads);
            match (open, leads) {
                (Some(open), true) => reigns[leading[open].1].to = sample.at,
                (Some(open), false) => drop(leading.swap_remove(open)),
                (None, true) => {
                    leading.push((master, reigns.len()));
                    reigns.push(Reign { master, from: sample.at, to: sample.at });
                }
                (None, false) => {}
            }
        }
        reigns
    }
}

/// The middle of some values, and the largest; none of none.
pub fn median_and_worst(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        length if length.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    };
    Some((median, sorted[sorted.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `L2` leads with 2 agents, `f` follows, `-` does not answer; one sample a second.
    fn timeline(masters: &[(&str, &str)]) -> Timeline {
        let mut samples = Vec::new();
        for (master, line) in masters {
            for (second, word) in line.split_whitespace().enumerate() {
                let answer = match word.strip_prefix('L') {
                    Some(agents) => Some(Answer { leads: true, agents: agents.parse().unwrap() }),
                    None => (word == "f").then_some(Answer { leads: false, agents: 0 }),
                };
                samples.push(Sample { master: (*master).to_owned(), at: second as f64, answer });
            }
        }
        Timeline::new(samples)
    }

    #[test]
    fn a_failover() {
        let seen = timeline(&[("a", "L2 L2 - - - f f f f"), ("b", "f f f f f f L0 L1 L2")]);
        assert_eq!(seen.led_after(1.5, None), Some(4.5));
        assert_eq!(seen.agents_after(1.5, 2, None), Some(6.5));
        assert_eq!(seen.agents_after(1.5, 3, None), None);
        assert_eq!(seen.longest_without(0.0), 5.0);
        assert_eq!(seen.two_leaders(), None);
    }

    #[test]
    fn a_leader_that_does_not_know_that_it_leads_no_more() {
        let seen = timeline(&[("a", "L2 L2 L2 L2 L2 L2 - f"), ("b", "f f f L0 L2 L2 L2 L2")]);
        assert_eq!(seen.two_leaders(), Some(2.0));
        assert_eq!(seen.led_after(0.5, Some("a")), Some(2.5));
        assert_eq!(seen.agents_after(0.5, 2, Some("a")), Some(3.5));
        assert_eq!(seen.last_led_after(0.5, "a"), Some(4.5));
        assert_eq!(seen.longest_without(0.0), 1.0);
        // It led twice, the other one in between.
        assert_eq!(timeline(&[("a", "L1 f f L1"), ("b", "f L1 L1 f")]).two_leaders(), None);
    }

    #[test]
    fn middles() {
        assert_eq!(median_and_worst(&[3.0, 1.0, 2.0]), Some((2.0, 3.0)));
        assert_eq!(median_and_worst(&[4.0, 1.0]), Some((2.5, 4.0)));
        assert_eq!(median_and_worst(&[]), None);
    }
}
