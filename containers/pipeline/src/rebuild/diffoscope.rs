//! diffoscope(1), which says in depth how two packages differ.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// What there is of diffoscope's reports about a package.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diffoscope {
    /// Both reports were written.
    Reports {
        /// The file with the report as text.
        text: PathBuf,
        /// The file with the report as a web page.
        html: PathBuf,
    },
    /// There is no report; the text says why, and what to do.
    Missing(String),
}

/// Compares two packages; the reports get the path `name`, with `.txt` and `.html` behind it.
pub fn compare(published: &Path, rebuilt: &Path, name: &Path) -> Diffoscope {
    compare_with("diffoscope", published, rebuilt, name)
}

fn compare_with(program: &str, published: &Path, rebuilt: &Path, name: &Path) -> Diffoscope {
    let with = |extension: &str| PathBuf::from(format!("{}.{extension}", name.display()));
    let (text, html) = (with("txt"), with("html"));
    let mut command = Command::new(program);
    command.arg("--no-progress").arg("--text").arg(&text).arg("--html").arg(&html).args([published, rebuilt]);
    let missing = |why: String| {
        let again = format!("{program} --html out.html {} {}", published.display(), rebuilt.display());
        Diffoscope::Missing(format!("{why}. Later, the same can be had with `{again}`"))
    };
    match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            missing("diffoscope is not installed: `apt-get install diffoscope-minimal`".into())
        }
        Err(error) => missing(format!("diffoscope cannot be run: {error}")),
        // 1 says that they differ, which is known.
        Ok(output) if output.status.code() == Some(1) && text.exists() && html.exists() => {
            Diffoscope::Reports { text, html }
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.lines().rev().take(5).collect();
            let said = said.into_iter().rev().collect::<Vec<_>>().join("; ");
            missing(format!("diffoscope failed ({}): {said}", output.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_absence_is_told() {
        let name = Path::new("/tmp/name");
        let told = compare_with("no-such-diffoscope", Path::new("a.deb"), Path::new("b.deb"), name);
        let Diffoscope::Missing(why) = told else { panic!("{told:?}") };
        assert!(why.contains("apt-get install diffoscope-minimal") && why.contains("a.deb b.deb"), "{why}");
        let told = compare_with("false", Path::new("a.deb"), Path::new("b.deb"), name);
        assert!(matches!(&told, Diffoscope::Missing(why) if why.contains("failed")), "{told:?}");
    }
}
