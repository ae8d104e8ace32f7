//! What a build took, and what came out of it.

use askama::Template;

use crate::course::{self, Course};
use crate::text;

/// Rows of the table of compiles: the slowest.
const SLOWEST: usize = 50;

/// Lines, and characters, of a test's log that are shown, from its end.
const TAIL: (usize, usize) = (60, 8000);

/// A build: the file `report.html` beside the packages.
#[derive(Clone, Debug, Template)]
#[template(path = "report.html")]
pub struct Report {
    /// The recipe's name.
    pub recipe: String,
    /// The version of the packages (Debian policy 5.6.12).
    pub version: String,
    /// The target, such as `debian-12/amd64`.
    pub target: String,
    /// SHA-256 digest of the plan, in hexadecimal digits.
    pub plan: String,
    /// The user id of the key that signed.
    pub signer: String,
    /// Whether nobody should trust that key.
    pub development: bool,
    /// When the run began, as a Unix time in seconds, and its wall time in seconds. None where that is not on record.
    pub run: Option<(i64, f64)>,
    /// What ran, in order: the recipe's phases, and what makes packages of what they leave.
    pub steps: Vec<Step>,
    /// The packages.
    pub packages: Vec<Made>,
    /// What was compiled, in any order.
    pub compiles: Vec<Compile>,
    /// Upstream's tests, where they were run.
    pub tests: Option<Tests>,
    /// What a rebuild found, where there was one.
    pub rebuild: Option<Rebuilt>,
}

/// A part of a build.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The name of the step, such as `configure`.
    pub name: String,
    /// Whether its result was there from an earlier run.
    pub kept: bool,
    /// Wall time in seconds, when it ran.
    pub wall: f64,
    /// CPU time in seconds, where it is on record.
    pub cpu: Option<f64>,
    /// Most memory in bytes, without page cache. 0: not on record.
    pub peak: u64,
    /// Bytes that the step might use, where that is on record.
    pub limit: Option<u64>,
    /// Jobs, or threads, at once.
    pub jobs: u32,
    /// Memory over time: seconds since the step began, and bytes.
    pub memory: Vec<(f64, u64)>,
    /// Results that came from the compiler cache, and those that it did not have.
    pub cache: Option<(u32, u32)>,
    /// Files whose compiler was killed for memory and run again alone.
    pub killed: Vec<String>,
    /// Whether QEMU emulated the processor.
    pub emulated: bool,
    /// Who compiled, where other machines did.
    pub farm: Option<String>,
    /// The path of the log, where there is one.
    pub log: Option<String>,
}

/// A package that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The name of the package.
    pub name: String,
    /// The architecture of the package, such as `amd64` or `all`.
    pub architecture: String,
    /// The path of the .deb file.
    pub path: String,
    /// The size of the .deb file in bytes.
    pub size: u64,
    /// SHA-256 digest of the .deb file, in hexadecimal digits.
    pub sha256: String,
}

/// A file that was compiled or linked.
#[derive(Clone, Debug)]
pub struct Compile {
    /// The path of the file.
    pub file: String,
    /// CPU time in seconds. 0: not known.
    pub seconds: f64,
    /// Bytes of its largest process. 0: not known.
    pub memory: u64,
    /// How often it was compiled.
    pub ran: u32,
    /// How often its result came from the compiler cache.
    pub cached: u32,
}

/// Upstream's tests.
#[derive(Clone, Debug)]
pub struct Tests {
    /// Whether nothing failed that is not excused.
    pub sound: bool,
    /// How many tests have which verdict, in the order in which they are to be shown: the worst first.
    pub counts: Vec<(Verdict, usize)>,
    /// The tests one by one, in any order. Empty where only their number is on record.
    pub tests: Vec<Test>,
}

/// What follows from the executions of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It failed, or crashed.
    Failed,
    /// It did not end in time.
    TimedOut,
    /// It failed, and passed by itself.
    Flaky,
    /// It failed, and is excused for now.
    Quarantined,
    /// It was not run.
    Skipped,
    /// It passed.
    Passed,
}

/// A test.
#[derive(Clone, Debug)]
pub struct Test {
    /// The program that has it.
    pub program: String,
    /// The name of the test.
    pub name: String,
    /// What follows from its executions.
    pub verdict: Verdict,
    /// Why that verdict.
    pub note: Option<String>,
    /// Seconds of all executions.
    pub seconds: f64,
    /// What it printed.
    pub output: String,
    /// The path of the whole log, where there is one.
    pub log: Option<String>,
}

/// What a rebuild found.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// How many packages are the same.
    pub same: usize,
    /// The files of those that differ.
    pub different: Vec<String>,
    /// What was made to differ between the two builds.
    pub varied: Vec<String>,
}

impl Report {
    /// The page. The same input always gives the same bytes. A character that no browser shows, or that makes it show the
    /// others in another order, is replaced by one that is seen.
    pub fn html(&self) -> String {
        let mut html = text::seen(&self.render().expect("writing to memory does not fail"));
        html.push('\n');
        html
    }

    /// Wall and CPU time of all steps, in seconds.
    fn total(&self) -> (f64, f64) {
        (self.steps.iter().map(|step| step.wall).sum(), self.steps.iter().filter_map(|step| step.cpu).sum())
    }

    /// The step that took most memory.
    fn hungriest(&self) -> Option<&Step> {
        self.steps.iter().filter(|step| step.peak > 0).max_by_key(|step| step.peak)
    }

    /// The names of the steps whose processor was emulated, with commas between them; empty where there are none.
    fn emulated(&self) -> String {
        let emulated: Vec<&str> =
            self.steps.iter().filter(|step| step.emulated).map(|step| step.name.as_str()).collect();
        emulated.join(", ")
    }

    fn kept(&self) -> usize {
        self.steps.iter().filter(|step| step.kept).count()
    }

    /// Results from the compiler cache, and all results, of all steps. None where there is no word on it.
    fn cache(&self) -> Option<(u32, u32)> {
        let known = self.steps.iter().filter_map(|step| step.cache);
        known
            .reduce(|(hits, misses), (more, others)| (hits + more, misses + others))
            .map(|(hits, misses)| (hits, hits + misses))
    }

    fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    fn course(&self) -> Option<Course> {
        Course::of(&self.steps)
    }

    /// Steps with the place of their bars: per cent of all wall time before them, and of their own.
    fn line(&self) -> Vec<(&Step, String, String)> {
        let (all, _) = self.total();
        let mut before = 0.0;
        let mut line = Vec::new();
        for step in &self.steps {
            // So that it is seen, however short it was.
            let width = (step.wall / all.max(1e-9) * 100.0).clamp(0.4, 100.0);
            line.push((step, format!("{:.2}%", f64::min(before, 99.6)), format!("{width:.2}%")));
            before += step.wall / all.max(1e-9) * 100.0;
        }
        line
    }

    fn slowest(&self) -> Vec<&Compile> {
        let mut compiles: Vec<&Compile> = self.compiles.iter().collect();
        compiles.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then_with(|| a.file.cmp(&b.file)));
        compiles.truncate(SLOWEST);
        compiles
    }

    /// How long a compile took of what the slowest one did, in per cent.
    fn share(&self, compile: &Compile) -> String {
        let most = self.compiles.iter().map(|compile| compile.seconds).fold(0.0, f64::max);
        format!("{:.1}%", compile.seconds / most.max(1e-9) * 100.0)
    }
}

impl Compile {
    /// Where it came from, in a word or two.
    fn came(&self) -> String {
        match (self.ran, self.cached) {
            (_, 0) => "compiled".into(),
            (0, _) => "from the cache".into(),
            (ran, cached) => format!("{ran} compiled, {cached} from the cache"),
        }
    }
}

impl Step {
    /// What is known of it, in one line.
    fn facts(&self) -> String {
        let mut facts: Vec<String> = self.kept.then(|| "kept".into()).into_iter().collect();
        facts.extend(self.cpu.map(|cpu| format!("CPU {}", text::duration(cpu))));
        if self.peak > 0 {
            let limit = self.limit.map(|limit| format!(" of {}", text::size(limit)));
            facts.push(format!("at most {}{}", text::size(self.peak), limit.unwrap_or_default()));
        }
        if self.jobs > 0 {
            facts.push(text::count(i64::from(self.jobs), "job"));
        }
        if let Some((hits, misses)) = self.cache {
            let all = text::count(i64::from(hits) + i64::from(misses), "compile");
            facts.push(format!("{} of {all} from the cache", text::thousands(i64::from(hits))));
        }
        facts.extend(self.emulated.then(|| "emulated by QEMU".to_owned()));
        facts.extend(self.farm.clone());
        if !self.killed.is_empty() {
            facts.push(format!("killed for memory, and compiled again alone: {}", self.killed.join(", ")));
        }
        facts.join(" · ")
    }
}

impl Tests {
    /// The tests of a verdict, by program and name.
    fn with(&self, verdict: &Verdict) -> Vec<&Test> {
        let mut tests: Vec<&Test> = self.tests.iter().filter(|test| test.verdict == *verdict).collect();
        tests.sort_by(|a, b| (&a.program, &a.name).cmp(&(&b.program, &b.name)));
        tests
    }

    /// The same by program.
    fn by_program(&self, verdict: &Verdict) -> Vec<Vec<&Test>> {
        self.with(verdict).chunk_by(|a, b| a.program == b.program).map(<[_]>::to_vec).collect()
    }
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Flaky => "flaky",
            Self::Quarantined => "quarantined",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }

    /// The class that decides its colour.
    const fn class(self) -> &'static str {
        match self {
            Self::Failed | Self::TimedOut => "bad",
            Self::Flaky | Self::Quarantined => "warn",
            Self::Skipped => "none",
            Self::Passed => "good",
        }
    }

    /// Whether each of its tests is shown with what it printed.
    const fn has_log(self) -> bool {
        !matches!(self, Self::Skipped | Self::Passed)
    }
}

impl Test {
    /// The end of what it printed.
    fn tail(&self) -> &str {
        let output = self.output.trim_end();
        let (lines, characters) = TAIL;
        let by_lines = output.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1);
        let by_characters = output.char_indices().rev().nth(characters - 1).map_or(0, |(at, _)| at);
        &output[by_lines.max(by_characters)..]
    }

    fn is_cut(&self) -> bool {
        self.tail().len() < self.output.trim_end().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page in which every text is this one.
    fn page(text: &str) -> Report {
        let own = || text.to_owned();
        let step = Step {
            name: own(),
            wall: 7.0,
            cpu: Some(5.0),
            peak: 700 << 20,
            limit: Some(1 << 30),
            jobs: 2,
            memory: vec![(0.0, 1 << 20), (3.0, 700 << 20), (7.0, 2 << 20)],
            cache: Some((1, 2)),
            killed: vec![own()],
            emulated: true,
            farm: Some(own()),
            log: Some(own()),
            ..Step::default()
        };
        let test = |verdict| Test {
            program: own(),
            name: own(),
            verdict,
            note: Some(own()),
            seconds: 1.0,
            output: own(),
            log: Some(own()),
        };
        use Verdict::{Failed, Flaky, Passed, Quarantined, Skipped, TimedOut};
        let verdicts = [Failed, TimedOut, Flaky, Quarantined, Skipped, Passed];
        Report {
            recipe: own(),
            version: own(),
            target: own(),
            plan: own(),
            signer: own(),
            development: true,
            run: Some((1_795_410_048, 8.0)),
            steps: vec![step],
            packages: vec![Made { name: own(), architecture: own(), path: own(), size: 1, sha256: own() }],
            compiles: vec![Compile { file: own(), seconds: 1.0, memory: 1, ran: 1, cached: 1 }],
            tests: Some(Tests {
                sound: false,
                counts: verdicts.map(|verdict| (verdict, 1)).to_vec(),
                tests: verdicts.map(test).to_vec(),
            }),
            rebuild: Some(Rebuilt { same: 1, different: vec![own()], varied: vec![own()] }),
        }
    }

    #[test]
    fn whatever_it_is_given_is_text_that_is_seen() {
        let plain = page("x").html();
        let evil =
            page("\"'><script>alert(1)</script></pre><b onclick=x>{{ 7 * 7 }}</style>&amp;\0\x1b[31m\u{85}\u{202e}")
                .html();
        for sign in ["<", ">", "\"", "'"] {
            assert_eq!(evil.matches(sign).count(), plain.matches(sign).count(), "{sign}");
        }
        assert!(!evil.contains("<script") && evil.contains("{{ 7 * 7 }}") && evil.contains("␀␛[31m"), "{evil}");
        let hidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!evil.contains(hidden), "{evil}");
        assert_eq!(page("x").html(), plain);
    }

    #[test]
    fn nothing_is_a_page_as_well() {
        let empty = Report {
            run: None,
            steps: vec![],
            packages: vec![],
            compiles: vec![],
            tests: None,
            rebuild: None,
            ..page("x")
        };
        let html = empty.html();
        assert!(html.contains("were not run") && !html.contains("NaN") && !html.contains("inf"), "{html}");
    }

    #[test]
    fn of_a_log_the_end_is_shown() {
        let mut test = page("x").tests.unwrap().tests.remove(0);
        test.output = (0..100).map(|n| format!("line {n}\n")).collect();
        assert!(test.tail().starts_with("line 40\n") && test.tail().ends_with("line 99") && test.is_cut());
        test.output = "ä".repeat(9000);
        assert_eq!(test.tail().chars().count(), 8000);
        test.output = "short\n".into();
        assert!(test.tail() == "short" && !test.is_cut());
    }
}
