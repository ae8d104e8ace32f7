//! The picture of memory over time: its lines as coordinates, with text beside it and not in it, so that it takes
//! whatever width there is.

use std::fmt::Write as _;

use foundation::progress::duration;

use crate::report::Step;
use crate::text;

/// The picture's own units, whatever its size on a screen.
pub(crate) const WIDTH: f64 = 1000.0;
pub(crate) const HEIGHT: f64 = 200.0;

/// Parts of the axis of memory.
const PARTS: u64 = 4;

/// Where the cap is so many times what was used, a picture that shows it shows nothing else.
const FAR: u64 = 8;

/// What is drawn.
pub(crate) struct Course {
    /// The steps that have samples, or would have if they had taken longer.
    pub bands: Vec<Band>,
    /// The area below the memory in use: a path.
    pub area: String,
    /// Its upper edge.
    pub edge: String,
    /// The most that might be used, step by step: a path. Empty where it is not on record, or far above.
    pub cap: String,
    /// That cap in bytes, where it is above the picture.
    pub beyond: Option<u64>,
    /// The labels of the axis of memory, from top to bottom.
    pub memory: Vec<String>,
    /// Those of the axis of time.
    pub times: Vec<String>,
    /// The most that was in use, in bytes.
    pub peak: u64,
}

/// The time of a step.
pub(crate) struct Band {
    pub name: String,
    /// From the left, and how far, in the picture's units.
    pub x: String,
    pub width: String,
    /// The middle in per cent.
    pub middle: String,
    /// Wide enough for its name: everywhere, where there is room for a wide page, or nowhere.
    pub label: &'static str,
    pub peak: u64,
}

impl Course {
    /// None where there is nothing to draw.
    pub(crate) fn of(steps: &[Step]) -> Option<Self> {
        let steps: Vec<&Step> = steps.iter().filter(|step| !step.memory.is_empty() && step.wall > 0.0).collect();
        let all: f64 = steps.iter().map(|step| step.wall).sum();
        let peak = steps.iter().flat_map(|step| &step.memory).map(|(_, bytes)| *bytes).max()?;
        let cap = steps.iter().filter_map(|step| step.limit).max();
        let beyond = cap.filter(|cap| *cap / FAR > peak);
        let top = PARTS * nice(peak.max(if beyond.is_some() { 0 } else { cap.unwrap_or(0) }).div_ceil(PARTS));
        let y = |bytes: u64| HEIGHT - (bytes.min(top) as f64 / top as f64) * HEIGHT;
        let (mut bands, mut edge, mut caps) = (Vec::new(), String::new(), String::new());
        let mut before = 0.0;
        for step in steps {
            let x = |seconds: f64| (before + seconds.min(step.wall)) / all * WIDTH;
            let (from, to) = (x(0.0), x(step.wall));
            let mut point = |x: f64, bytes: u64| {
                let letter = if edge.is_empty() { 'M' } else { 'L' };
                write!(edge, "{letter}{x:.1} {:.1}", y(bytes)).expect("a String takes everything");
            };
            // A step begins and ends where the others do, and with nothing in between.
            point(from, 0);
            for (seconds, bytes) in &step.memory {
                point(x(*seconds), *bytes);
            }
            let last = step.memory.last().map_or(0, |(_, bytes)| *bytes);
            point(to, last);
            point(to, 0);
            if let Some(limit) = step.limit.filter(|limit| *limit <= top) {
                write!(caps, "M{from:.1} {0:.1}L{to:.1} {0:.1}", y(limit)).expect("a String takes everything");
            }
            let share = step.wall / all;
            bands.push(Band {
                name: step.name.clone(),
                x: format!("{from:.1}"),
                width: format!("{:.1}", to - from),
                middle: format!("{:.1}%", (from + to) / 2.0 / WIDTH * 100.0),
                label: if share > 0.2 {
                    "always"
                } else if share > 0.08 {
                    "wide"
                } else {
                    "never"
                },
                peak: step.memory.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
            });
            before += step.wall;
        }
        let area = format!("{edge}Z");
        Some(Self {
            bands,
            area,
            edge,
            cap: caps,
            beyond,
            memory: (0..=PARTS).rev().map(|part| text::size(top / PARTS * part)).collect(),
            times: (0..=4)
                .map(|part| if part == 0 { "0".into() } else { duration(all * f64::from(part) / 4.0) })
                .collect(),
            peak,
        })
    }
}

/// A round number of KiB, MiB or GiB that is not smaller.
fn nice(bytes: u64) -> u64 {
    let mut unit = 1 << 10;
    while bytes > 1536 * unit && unit < 1 << 50 {
        unit <<= 10;
    }
    // One and a half of the larger unit is a round number as well.
    let rounds =
        [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 384, 512, 768, 1024];
    unit * rounds.into_iter().find(|round| round * unit >= bytes).unwrap_or(1536)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn step(wall: f64, peak: u64, limit: u64) -> Step {
        let memory = vec![(0.0, 0), (wall / 2.0, peak), (wall * 2.0, 0)];
        Step { name: "build".into(), wall, peak, limit: Some(limit), memory, ..Step::default() }
    }

    #[test]
    fn the_axis_ends_at_a_round_number_above_everything() {
        for (bytes, round) in [
            (0, 1 << 10),
            (1, 1 << 10),
            (3 * GIB / 2, 3 * GIB / 2),
            (7 * GIB / 4, 2 * GIB),
            (GIB / 2, GIB / 2),
            (5 << 20, 5 << 20),
        ] {
            assert_eq!(nice(bytes), round);
        }
        let course = Course::of(&[step(10.0, 3 * GIB, 4 * GIB), step(30.0, GIB, 2 * GIB)]).unwrap();
        assert_eq!(course.memory, ["4.0 GiB", "3.0 GiB", "2.0 GiB", "1.0 GiB", "0 B"]);
        assert_eq!(course.times[4], "40.0 s");
        assert_eq!(course.cap, "M0.0 0.0L250.0 0.0M250.0 100.0L1000.0 100.0");
        assert!(course.edge.starts_with("M0.0 200.0L0.0 200.0L125.0 50.0L250.0 200.0"), "{}", course.edge);
        assert_eq!((course.beyond, course.peak), (None, 3 * GIB));
    }

    #[test]
    fn a_cap_that_is_far_away_is_told_and_not_drawn() {
        let course = Course::of(&[step(10.0, GIB / 4, 8 * GIB)]).unwrap();
        assert_eq!((course.beyond, course.cap.as_str()), (Some(8 * GIB), ""));
        assert_eq!(course.memory[0], "256.0 MiB");
        assert!(Course::of(&[Step::default()]).is_none());
    }
}
