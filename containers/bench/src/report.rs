//! What was measured, as data and as a table.

use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::progress::duration;
use phases::record::PhaseRecord;
use pipeline::{Inputs, PhaseReport};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::exports::Comparison;
use super::machine::Machine;
use super::plot::{self, Group, Plot};
use super::recorder::{Noted, StageTime};
use super::row::Row;

/// What `bench.json` has: what was measured, on which machine, of what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BenchReport {
    /// The number of the format of this value: 1.
    pub format: u32,
    /// The version of the tool that measured.
    pub tool: String,
    /// When it was measured, in UTC (RFC 3339).
    pub date: String,
    /// The machine that compiled.
    pub machine: Machine,
    /// Name of the recipe.
    pub recipe: String,
    /// The packages' version.
    pub version: String,
    /// Name of the target, such as `debian-12/amd64`.
    pub target: String,
    /// Digest of the plan: of everything that decides the packages' bytes.
    pub plan: Digest,
    /// What was measured in each row.
    pub rows: Vec<Measured>,
    /// How what is installed differs from upstream's own way, where that was measured.
    pub comparison: Option<Comparison>,
}

/// What was measured in one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// The row; its letter in JSON.
    pub row: Row,
    /// What the row measures, in few words.
    pub what: String,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// CPU time in seconds, of the phases and of this tool.
    pub cpu_seconds: f64,
    /// Largest memory use in bytes without page cache, of a phase or of this tool.
    pub peak_memory: u64,
    /// Wall time as a share of upstream's own way.
    pub wall_ratio: Option<f64>,
    /// CPU time as a share of upstream's own way.
    pub cpu_ratio: Option<f64>,
    /// CPU time of this tool alone, in seconds.
    pub tool_cpu_seconds: f64,
    /// Largest memory use of this tool alone, in bytes; what it has kept from the rows before counts.
    pub tool_peak_memory: u64,
    /// The phases that were run.
    pub phases: Vec<PhaseReport>,
    /// The stages that were made, in the order of their end.
    pub stages: Vec<StageTime>,
}

impl Measured {
    /// A row that this tool did, in so many seconds of wall time and of its own CPU time, with so much memory of its own.
    pub(super) fn new(row: Row, wall: f64, tool_cpu: f64, tool_peak: u64, noted: Noted) -> Self {
        let Noted { phases, stages } = noted;
        // Finer is no figure.
        let milliseconds = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        Self {
            row,
            what: row.what().to_owned(),
            wall_seconds: milliseconds(wall),
            cpu_seconds: milliseconds(tool_cpu + phases.iter().map(|phase| phase.cpu_seconds).sum::<f64>()),
            peak_memory: phases.iter().map(|phase| phase.peak_rss).fold(tool_peak, u64::max),
            wall_ratio: None,
            cpu_ratio: None,
            tool_cpu_seconds: milliseconds(tool_cpu),
            tool_peak_memory: tool_peak,
            phases,
            stages,
        }
    }

    /// The row of upstream's own way.
    pub(super) fn of_baseline(record: &PhaseRecord) -> Self {
        let noted = Noted { phases: vec![record.clone().into()], stages: Vec::new() };
        Self::new(Row::Upstream, record.wall, 0.0, 0, noted)
    }

    /// The row's figures in a line for people.
    pub fn line(&self) -> String {
        format!(
            "row {}: {} wall, {} CPU, {} memory",
            self.row.letter(),
            duration(self.wall_seconds),
            duration(self.cpu_seconds),
            ByteSize(self.peak_memory)
        )
    }
}

impl BenchReport {
    /// Puts the rows beside the first, if that is upstream's own way.
    pub(super) fn new(inputs: &Inputs, machine: Machine, rows: Vec<Measured>, comparison: Option<Comparison>) -> Self {
        Self {
            format: 1,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            date: now(),
            machine,
            recipe: inputs.plan().recipe().to_owned(),
            version: inputs.plan().version().to_owned(),
            target: inputs.plan().target().name.to_string(),
            plan: inputs.plan().digest(),
            rows: with_ratios(rows),
            comparison,
        }
    }

    /// The report as a table for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "\n{} {} for {}, plan {}\n{}\n\n",
            self.recipe,
            self.version,
            self.target,
            self.plan.short(),
            describe(&self.machine, &self.date),
        );
        let mut line = |cells: [String; 7]| {
            let [letter, what, wall, cpu, memory, wall_ratio, cpu_ratio] = cells;
            let line =
                format!("{letter:1}  {what:34} {wall:>13} {cpu:>13} {memory:>10} {wall_ratio:>9} {cpu_ratio:>9}");
            text += &format!("{}\n", line.trim_end());
        };
        let beside = self.rows.iter().any(|row| row.wall_ratio.is_some());
        let ratios = if beside { ["wall/a", "CPU/a"] } else { [""; 2] };
        line(["", "", "wall", "CPU", "memory", ratios[0], ratios[1]].map(str::to_owned));
        let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.4}"));
        for row in &self.rows {
            line([
                row.row.letter().to_string(),
                row.what.clone(),
                duration(row.wall_seconds),
                duration(row.cpu_seconds),
                ByteSize(row.peak_memory).to_string(),
                ratio(row.wall_ratio),
                ratio(row.cpu_ratio),
            ]);
        }
        if let Some(comparison) = &self.comparison {
            text += &format!("\n{}", comparison.text());
        }
        text
    }

    /// The plot as an SVG picture: wall and CPU time of every row.
    pub fn svg(&self) -> String {
        let groups = self.rows.iter().map(|row| Group {
            label: format!("{}: {}", row.row.letter(), row.what),
            seconds: vec![row.wall_seconds, row.cpu_seconds],
        });
        plot::svg(&Plot {
            title: format!("{} {} for {}", self.recipe, self.version, self.target),
            note: describe(&self.machine, &self.date),
            series: vec!["wall time".into(), "CPU time".into()],
            groups: groups.collect(),
        })
    }
}

/// The machine and the day of the measurement in a line for people.
pub(super) fn describe(machine: &Machine, date: &str) -> String {
    let Machine { cpu, processors, memory, kernel, engine } = machine;
    let day = date.split('T').next().unwrap_or(date);
    format!("{processors} processors ({cpu}), {}, Linux {kernel}, {engine}; {day}", ByteSize(*memory))
}

/// Now, in UTC (RFC 3339), to the second.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}

fn with_ratios(mut rows: Vec<Measured>) -> Vec<Measured> {
    let upstream = rows.iter().find(|row| row.row == Row::Upstream);
    let Some((wall, cpu)) = upstream.map(|row| (row.wall_seconds, row.cpu_seconds)) else { return rows };
    for row in &mut rows {
        row.wall_ratio = (wall > 0.0).then(|| row.wall_seconds / wall);
        row.cpu_ratio = (cpu > 0.0).then(|| row.cpu_seconds / cpu);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(cpu: f64, peak: u64) -> PhaseReport {
        let record = PhaseRecord { name: "build".into(), cpu, peak_rss: peak, wall: 7.0, ..PhaseRecord::default() };
        record.into()
    }

    fn row(row: Row, wall: f64, phases: Vec<PhaseReport>) -> Measured {
        Measured::new(row, wall, 0.5, 3 << 20, Noted { phases, stages: Vec::new() })
    }

    fn report(rows: Vec<Measured>) -> BenchReport {
        let machine = Machine {
            cpu: "Some <CPU> & more".into(),
            processors: 2,
            memory: 24 << 30,
            kernel: "6.1.0".into(),
            engine: "Docker 20.10".into(),
        };
        BenchReport {
            format: 1,
            tool: "0".into(),
            date: "2026-11-23T10:00:00Z".into(),
            machine,
            recipe: "sample".into(),
            version: "1.0.0-1".into(),
            target: "debian-12/amd64".into(),
            plan: Digest::of("plan"),
            rows: with_ratios(rows),
            comparison: None,
        }
    }

    #[test]
    fn phases_and_the_tool_count_together() {
        let cold = row(Row::Cold, 10.0, vec![phase(4.0, 1 << 30), phase(2.0, 2 << 30)]);
        assert_eq!((cold.cpu_seconds, cold.peak_memory), (6.5, 2 << 30));
        let nothing = row(Row::Nothing, 0.1, Vec::new());
        assert_eq!((nothing.cpu_seconds, nothing.peak_memory), (0.5, 3 << 20));
    }

    #[test]
    fn ratios_need_upstreams_own_way() {
        let record = PhaseRecord { wall: 40.0, cpu: 65.0, peak_rss: 1, ..PhaseRecord::default() };
        let cold = || row(Row::Cold, 10.0, vec![phase(6.0, 1)]);
        let with = report(vec![Measured::of_baseline(&record), cold()]);
        assert_eq!((with.rows[0].wall_ratio, with.rows[0].cpu_ratio), (Some(1.0), Some(1.0)));
        assert_eq!((with.rows[1].wall_ratio, with.rows[1].cpu_ratio), (Some(0.25), Some(0.1)));
        assert!(with.text().contains(" 0.2500    0.1000\n"), "{}", with.text());
        let without = report(vec![cold()]);
        assert_eq!((without.rows[0].wall_ratio, without.rows[0].cpu_ratio), (None, None));
        assert!(!without.text().contains("wall/a") && !without.text().contains(" \n"), "{}", without.text());
    }

    #[test]
    fn the_report_is_read_back_from_its_json() {
        let text = serde_json::to_string(&report(vec![row(Row::Unit, 3.0, Vec::new())])).unwrap();
        assert!(text.contains("\"row\":\"e\""), "{text}");
        let read: BenchReport = serde_json::from_str(&text).unwrap();
        assert_eq!(read.rows[0].row, Row::Unit);
    }

    #[test]
    fn the_plot_has_every_row_and_is_escaped() {
        let svg = report(vec![row(Row::Cold, 100.0, Vec::new()), row(Row::Nothing, 0.04, Vec::new())]).svg();
        assert!(svg.contains("Some &lt;CPU&gt; &amp; more"), "{svg}");
        assert!(svg.contains("1 min 40 s") && svg.contains("0.04 s"), "{svg}");
    }
}
