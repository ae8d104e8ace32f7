//! A plot of times as bars, on a logarithmic axis: from a tenth of a second to hours.

use foundation::progress::duration;
use svg::Document;
use svg::node::element::{Line, Rectangle, Style, Text, Title};

/// What a plot shows.
pub struct Plot {
    /// The title, above the plot.
    pub title: String,
    /// A line below the title, smaller.
    pub note: String,
    /// What the bars of a group stand for, from top to bottom.
    pub series: Vec<String>,
    /// The groups, from top to bottom.
    pub groups: Vec<Group>,
}

/// Bars that belong together.
pub struct Group {
    /// The name of the group, beside it.
    pub label: String,
    /// How long each bar is, in seconds: one for each of the series.
    pub seconds: Vec<f64>,
}

const WIDTH: f64 = 860.0;
/// Room for the groups' labels, and for the times at the ends of the bars.
const LEFT: f64 = 265.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 84.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;

/// Read by whoever shows the picture, also as an `<img>`: it is as light or dark as the page around it. The colours are told
/// apart in both, also by the colour-blind (Okabe and Ito).
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 }
.s0 { fill: #0072b2 } .s1 { fill: #e69f00 } .s2 { fill: #009e73 } .s3 { fill: #cc79a7 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.small { fill: #9198a1 }
.grid { stroke: #3d444d }
.s0 { fill: #56b4e9 }
}";
const COLOURS: usize = 4;

/// Draws the plot as an SVG picture.
pub fn svg(plot: &Plot) -> String {
    let axis = Axis::of(plot.groups.iter().flat_map(|group| group.seconds.iter().copied()));
    let group_height = plot.series.len() as f64 * BAR + GAP;
    let bottom = TOP + plot.groups.len() as f64 * group_height;
    let height = bottom + 28.0;
    let mut document = Document::new()
        .set("viewBox", format!("0 0 {WIDTH} {height}"))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .add(Title::new(plot.title.clone()))
        .add(Style::new(STYLE))
        .add(text(&plot.title, 12.0, 24.0, "start", "title"))
        .add(text(&plot.note, 12.0, 42.0, "start", "small"));
    let mut x = LEFT;
    for (i, series) in plot.series.iter().enumerate() {
        document = document.add(bar(x, 56.0, 10.0, i)).add(text(series, x + 16.0, 66.0, "start", "small"));
        x += 40.0 + 7.0 * series.chars().count() as f64;
    }
    for seconds in axis.ticks() {
        let x = axis.x(seconds);
        document = document
            .add(Line::new().set("x1", x).set("x2", x).set("y1", TOP - 6.0).set("y2", bottom).set("class", "grid"))
            .add(text(&tick(seconds), x, bottom + 16.0, "middle", "small"));
    }
    for (i, group) in plot.groups.iter().enumerate() {
        let top = TOP + i as f64 * group_height;
        let middle = top + plot.series.len() as f64 * BAR / 2.0;
        document = document.add(text(&group.label, LEFT - 10.0, middle + 4.5, "end", "label"));
        for (series, seconds) in group.seconds.iter().enumerate() {
            let y = top + series as f64 * BAR;
            let end = axis.x(*seconds);
            document = document.add(bar(LEFT, y, end - LEFT, series)).add(text(
                &duration(*seconds),
                end + 6.0,
                y + BAR - 3.0,
                "start",
                "small",
            ));
        }
    }
    format!("{document}\n")
}

fn text(content: &str, x: f64, y: f64, anchor: &str, class: &str) -> Text {
    Text::new(content).set("x", x).set("y", y).set("text-anchor", anchor).set("class", class)
}

fn bar(x: f64, y: f64, width: f64, series: usize) -> Rectangle {
    Rectangle::new()
        .set("x", x)
        .set("y", y)
        .set("width", (width * 10.0).round() / 10.0)
        .set("height", BAR - 2.0)
        .set("class", format!("s{}", series % COLOURS))
}

/// `0.1 s`, `10 s`, `1000 s`.
fn tick(seconds: f64) -> String {
    if seconds < 1.0 { format!("{seconds} s") } else { format!("{seconds:.0} s") }
}

/// From one power of ten to another, both included.
struct Axis {
    first: i32,
    last: i32,
}

impl Axis {
    /// An axis with all of these on it.
    fn of(seconds: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for seconds in seconds.filter(|seconds| *seconds > 0.0) {
            (least, most) = (least.min(seconds), most.max(seconds));
        }
        if least > most {
            (least, most) = (0.1, 1.0);
        }
        // What takes a millisecond or nothing has a bar of no length.
        let first = (least.log10().floor() as i32).max(-3);
        Self { first, last: (most.log10().ceil() as i32).max(first + 1) }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10_f64.powi(power))
    }

    fn x(&self, seconds: f64) -> f64 {
        let share = (seconds.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        ((LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)) * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_every_time_on_it() {
        let axis = Axis::of([0.05, 4210.0].into_iter());
        assert_eq!((axis.first, axis.last), (-2, 4));
        assert_eq!(
            axis.ticks().map(tick).collect::<Vec<_>>(),
            ["0.01 s", "0.1 s", "1 s", "10 s", "100 s", "1000 s", "10000 s"]
        );
        assert!((axis.x(0.01) - LEFT).abs() < 0.1 && (axis.x(10_000.0) - (WIDTH - RIGHT)).abs() < 0.1);
        assert!(axis.x(1.0) < axis.x(2.0));
        // No time at all, and the same time everywhere.
        assert_eq!(Axis::of([0.0].into_iter()).ticks().count(), 2);
        let one = Axis::of([10.0, 10.0].into_iter());
        assert_eq!((one.first, one.last), (1, 2));
        assert_eq!(one.x(0.0), LEFT);
    }
}
