//! The first line of a phase's log by which a program says that it gives up: where several jobs run at once, thousands of lines
//! of the others may follow it.

use crate::phase::REPEATED;

/// Lines that are shown before the first error: in which function a reference is, or how a file came to be included.
const BEFORE: usize = 3;

/// Lines that are shown from the first error on.
const AFTER: usize = 12;

/// So many lines before make says that a command failed, that command may have said why.
const NEAR: usize = 20;

/// The first error of a log, with the lines around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstError {
    /// The number of its line in the log, counted from 1.
    pub line: usize,
    /// That line and those around it.
    pub excerpt: String,
}

impl FirstError {
    /// The first error of a log's lines; none where no program has marked a line as one, or where that line is among the last
    /// `shown` ones anyway.
    ///
    /// What a phase said before it was run again with fewer jobs is not looked at: that was made good.
    pub fn find(lines: &[&str], shown: usize) -> Option<Self> {
        let begin = lines.iter().rposition(|line| line.contains(REPEATED)).map_or(0, |at| at + 1);
        let last = lines.len().saturating_sub(shown).max(begin);
        let at = begin + position(&lines[begin..])?;
        if at >= last {
            return None;
        }
        let excerpt = &lines[at.saturating_sub(BEFORE).max(begin)..(at + AFTER).min(last)];
        Some(Self { line: at + 1, excerpt: excerpt.join("\n") })
    }
}

fn position(lines: &[&str]) -> Option<usize> {
    let at = lines.iter().position(|line| is_error(line) || only_tells(line))?;
    if !only_tells(lines[at]) {
        return Some(at);
    }
    // make and the compiler's driver do not know why, and a shell's complaint alone is no error: scripts try things out.
    let near = at.saturating_sub(NEAR)..at;
    Some(near.rev().find(|before| complains(lines[*before])).unwrap_or(at))
}

/// Whether a line says only that another program has failed.
fn only_tells(line: &str) -> bool {
    line.contains(": *** ") || line.starts_with("collect2: error:")
}

/// Whether it is a complaint of the shell, or of a command without a word for errors.
fn complains(line: &str) -> bool {
    let says = ["No such file or directory", "not found", "Permission denied", "No space left on device"];
    !line.starts_with("checking ") && (says.iter().any(|end| line.trim_end().ends_with(end)) || was_killed(line))
}

/// Whether a compiler, a linker, configure, an interpreter or a build tool marks a line as an error. The word alone makes none: it is
/// in names of files, in options and in counts.
fn is_error(line: &str) -> bool {
    const OF_LINKERS: [&str; 3] = [": undefined reference to ", ": multiple definition of ", ": cannot find -l"];
    const BEGINNINGS: [&str; 3] = ["CMake Error", "[ERROR] ", "error["];
    let line = line.trim_end();
    if let Some(linker) = OF_LINKERS.iter().find_map(|says| line.find(says)) {
        return !warns(&line[..linker]);
    }
    BEGINNINGS.iter().any(|begin| line.starts_with(begin)) || names_error(line) || was_killed(line)
}

fn warns(text: &str) -> bool {
    ["warning:", "note:"].iter().any(|word| text.to_ascii_lowercase().contains(word))
}

/// Whether a line is `error: WHAT`, with who says it before that: `main.cc:3:1: fatal error: …`, `configure: error: …`,
/// `ImportError: …`.
fn names_error(line: &str) -> bool {
    const KINDS: [&str; 4] = ["fatal ", "internal compiler ", "syntax ", "parse "];
    // An exception's name, as Python and Java begin a line with it.
    let (first, rest) = line.split_once(": ").unwrap_or((line, ""));
    if first.len() > "Error".len() && first.ends_with("Error") && !rest.is_empty() {
        return first.starts_with(char::is_alphabetic)
            && first.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
    }
    let lower = line.to_ascii_lowercase();
    let mut words = lower.match_indices("error:").map(|(at, word)| (&lower[..at], &lower[at + word.len()..]));
    words.any(|(before, after)| {
        let who = KINDS.iter().find_map(|kind| before.strip_suffix(kind)).unwrap_or(before).trim_end();
        let ends_well = who.is_empty() || who.ends_with(':') && before.ends_with(' ');
        // make shows a command before it runs: one that could print an error has quotes, variables or options.
        let command = who.contains(['"', '\'', '`', '$', ';', '=']) || who.contains(" -");
        (after.is_empty() || after.starts_with(' ')) && ends_well && !command && !warns(who)
    })
}

/// Whether a shell says that a signal has ended a program: `Killed`, or `build: line 3:  1234 Killed  make`.
fn was_killed(line: &str) -> bool {
    const DEATHS: [&str; 5] = ["Killed", "Aborted", "Segmentation fault", "Bus error", "Illegal instruction"];
    let line = line.trim_end().trim_end_matches(" (core dumped)");
    let of_job = || {
        let (_, job) = line.split_once(": line ")?.1.split_once(": ")?;
        Some(job.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start())
    };
    DEATHS.contains(&line) || of_job().is_some_and(|job| DEATHS.iter().any(|death| job.starts_with(death)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with so much of other jobs before and after these lines.
    fn log<'a>(middle: &[&'a str], end: &[&'a str]) -> Vec<&'a str> {
        let noise =
            "libtool: compile:  c++ -Werror=format -c /build/source/src/error.cpp  -fPIC -DPIC -o .libs/error.o";
        let mut lines = vec!["checking for error_at_line... yes", "checking for error: no", "0 errors, 2 warnings"];
        lines.extend([noise; 7]);
        lines.extend(middle);
        lines.extend([noise; 400]);
        lines.extend(end);
        lines
    }

    #[track_caller]
    fn finds(middle: &[&str], end: &[&str], named: &str) {
        let lines = log(middle, end);
        let found = FirstError::find(&lines, 15).unwrap_or_else(|| panic!("nothing found, but there is {named}"));
        assert_eq!(lines[found.line - 1], named);
        assert!(found.excerpt.lines().any(|line| line == named), "{}", found.excerpt);
        assert!(found.excerpt.lines().count() <= BEFORE + AFTER);
    }

    const MAKE: &str = "make[2]: *** [Makefile:9021: slave/libmesos_la-slave.lo] Error 1";

    #[test]
    fn of_a_compiler() {
        let missing = "../../src/main.cpp:20:10: fatal error: nowhere.h: No such file or directory";
        let warning = "a.cpp:1:1: warning: this will be an error: in C++20 [-Wcomma]";
        finds(&[warning, missing, "   20 | #include <nowhere.h>", "compilation terminated.", MAKE], &[MAKE], missing);
        let killed = "c++: fatal error: Killed signal terminated program cc1plus";
        finds(&[killed, "compilation terminated.", MAKE], &[MAKE], killed);
        let internal = "a.c:7:3: internal compiler error: Segmentation fault";
        finds(&[internal], &[MAKE], internal);
        let assembler = "/tmp/cc1.s:3: Error: no such instruction: `movx'";
        finds(&["/tmp/cc1.s: Assembler messages:", assembler], &[MAKE], assembler);
        let java = "src/V0Mesos.java:31: error: cannot find symbol";
        finds(&[java, "1 error"], &[MAKE], java);
    }

    #[test]
    fn of_a_linker() {
        let reference = "main.cpp:(.text+0x1f): undefined reference to `mesos::run(int)'";
        let within = "/usr/bin/ld: main.o: in function `main':";
        let driver = "collect2: error: ld returned 1 exit status";
        let lines = log(&[within, reference, driver, MAKE], &[MAKE]);
        let found = FirstError::find(&lines, 15).unwrap();
        assert_eq!((lines[found.line - 1], found.line), (reference, 12));
        assert!(found.excerpt.contains(&format!("{within}\n{reference}\n{driver}\n{MAKE}")), "{}", found.excerpt);
        let library = "/usr/bin/ld: cannot find -lnowhere: No such file or directory";
        finds(&[library, driver], &[MAKE], library);
        let tolerated = "ld: warning: a.o: undefined reference to `b'";
        assert_eq!(FirstError::find(&log(&[tolerated], &["done"]), 15), None);
        finds(&["/usr/bin/ld: a.o: relocation R_X86_64_32 against `.rodata' can not be used", driver], &[MAKE], driver);
    }

    #[test]
    fn of_make_and_the_shell() {
        let rule = "make[1]: *** No rule to make target 'gone.h', needed by 'all'.  Stop.";
        finds(&[rule], &["make: *** [Makefile:3: all] Error 2"], rule);
        // A command says what make does not know.
        let absent = "/bin/sh: 1: protoc: not found";
        let other = "make[2]: Leaving directory '/build/work'";
        finds(&[absent, other, "make[2]: *** [Makefile:8: a.pb.cc] Error 127"], &[MAKE], absent);
        let copy = "cp: cannot stat 'a.jar': No such file or directory";
        finds(&[copy, "make[2]: *** [Makefile:8: b] Error 1"], &[MAKE], copy);
        // Scripts try things out, and make goes on where it was told to.
        let tried = ["missing: 54: aclocal-1.11: not found", "rm: cannot remove 'x': No such file or directory"];
        assert_eq!(FirstError::find(&log(&tried, &["make: [Makefile:2: clean] Error 1 (ignored)"]), 15), None);
        for killed in ["Killed", "/build/phase/build: line 31:  4711 Segmentation fault      (core dumped) make -j2"] {
            finds(&[killed], &["exit"], killed);
        }
    }

    #[test]
    fn of_configure_and_interpreters() {
        let configure = "configure: error: the part needs libnowhere";
        finds(&["checking for library... not found", configure], &[MAKE], configure);
        let libtool = "libtool:   error: cannot find the library 'libev.la'";
        finds(&[libtool], &[MAKE], libtool);
        let python = "ModuleNotFoundError: No module named 'six'";
        finds(&["Traceback (most recent call last):", python], &[MAKE], python);
        let maven = "[ERROR] Failed to execute goal";
        finds(&[maven], &[MAKE], maven);
        let shell = "/build/phase/build: 12: Syntax error: \"fi\" unexpected";
        finds(&[shell], &["exit"], shell);
    }

    #[test]
    fn the_word_alone_is_none() {
        for line in [
            "compiling error.o",
            "cc -Werror -c a.c",
            "checking for error... no",
            "checking whether error: can be said... yes",
            "0 errors",
            "if test -z \"$x\"; then echo \"no: error: x is empty\"; exit 1; fi",
            "printf 'demo: error: %s' \"$why\"",
            "main.cpp:3:1: warning: deprecated; error: in the next version",
            "main.cpp:3:1: note: declared here as error: no",
            "on_error: cleanup",
            "  188 | failed ************ (Pred::************",
            "an error: as prose has it",
            "Tests that were Killed: 3",
        ] {
            assert!(!is_error(line) && !only_tells(line), "{line}");
        }
    }

    /// A phase that was run again: what its first run said was made good.
    #[test]
    fn what_was_made_good_is_none() {
        let killed = "c++: fatal error: Killed signal terminated program cc1plus";
        let again = format!("phase build: processes were killed for memory at 2 GiB (4 jobs){REPEATED}2");
        assert_eq!(FirstError::find(&log(&[killed, MAKE, &again], &["done"]), 15), None);
        let real = "main.cpp:3:1: error: expected ';'";
        finds(&[killed, MAKE, &again, real], &[MAKE], real);
    }

    /// What the last lines show is not shown twice.
    #[test]
    fn one_of_the_last_lines_needs_no_second_place() {
        let error = "main.cpp:3:1: error: expected ';'";
        assert_eq!(FirstError::find(&log(&[], &[error, MAKE]), 15), None);
        assert_eq!(FirstError::find(&[error], 15), None);
        assert_eq!(FirstError::find(&[], 15), None);
        let mut lines = vec!["ok"; 10];
        lines.push(error);
        lines.extend(["ok"; 18]);
        let found = FirstError::find(&lines, 15).unwrap();
        assert_eq!((found.line, found.excerpt.lines().count()), (11, BEFORE + 4), "none of the last lines");
    }
}
