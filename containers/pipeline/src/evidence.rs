//! What a failed phase left in its volume that helps to understand why: `config.log` of the folder whose configure failed, and
//! the like.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use engine::Engine;
use engine::once::run_once_with_volumes;

/// The script that prints the files as a tar archive.
const SCRIPT: &str = include_str!("../assets/evidence.sh");

/// Lines of a file that are shown, from its end.
const LAST: usize = 15;

/// Files that are shown; all are kept.
const SHOWN: usize = 3;

/// What was found in a failed phase's volume.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Files, by their paths below `/build`, the newest first.
    pub files: Vec<KeptFile>,
    /// Core dumps, by their paths below `/build`.
    pub cores: Vec<String>,
}

/// A file that was kept.
#[derive(Debug)]
pub struct KeptFile {
    /// The path of the file, below `/build`.
    pub name: String,
    /// When it was written, as a Unix time in seconds.
    written: u64,
    /// Its content, as far as it is text.
    text: String,
}

impl Evidence {
    /// Looks into a volume for what was written in the last `seconds`. Nothing here may hide the failure itself, so
    /// what cannot be had is left out.
    pub async fn find(engine: &Engine, image: &str, volume: &str, seconds: f64) -> Self {
        let minutes = (seconds / 60.0).ceil() as u64 + 2;
        let variables = BTreeMap::from([("MINUTES".to_owned(), minutes.to_string())]);
        // As root: a phase may leave files that nobody else can read.
        let volumes = [(volume, "/build")];
        match run_once_with_volumes(engine, image, SCRIPT.as_bytes(), &[], &variables, true, &volumes).await {
            Ok(output) => Self::read(&output.stdout),
            Err(_) => Self::default(),
        }
    }

    fn read(archive: &[u8]) -> Self {
        let mut found = Self::default();
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().into_iter().flatten().map_while(Result::ok) {
            let mut entry = entry;
            let name = entry.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
            let written = entry.header().mtime().unwrap_or(0);
            let mut content = Vec::new();
            if entry.read_to_end(&mut content).is_err() {
                break;
            }
            let text = String::from_utf8_lossy(&content).into_owned();
            if name == "cores" {
                found.cores = text.lines().map(str::to_owned).collect();
            } else if Path::new(&name).components().all(|part| matches!(part, Component::Normal(_))) {
                found.files.push(KeptFile { name, written, text });
            }
        }
        found.files.sort_by_key(|file| std::cmp::Reverse(file.written));
        found
    }

    /// Writes the files into a folder, each where it was below `/build`; returns their paths.
    ///
    /// # Errors
    /// A folder or file cannot be written.
    pub fn keep(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let write = |file: &KeptFile| {
            let path = folder.join(&file.name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(&path, &file.text)?;
            Ok(path)
        };
        self.files.iter().map(write).collect()
    }

    /// The lines of the files that matter, for people.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for file in self.files.iter().take(SHOWN) {
            text += &format!("\nFrom {}:\n{}", file.name, file.excerpt());
        }
        if !self.cores.is_empty() {
            text += &format!("\nCore dumps below /build: {}", self.cores.join(", "));
        }
        text
    }
}

impl KeptFile {
    /// The test that made configure stop; of another file its last lines.
    fn excerpt(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let error = lines.iter().rposition(|line| line.starts_with("configure:") && line.contains("error:"));
        let (first, end) = match error {
            Some(error) => (error.saturating_sub(60), error + 1),
            None => (lines.len().saturating_sub(LAST), lines.len()),
        };
        let shown = lines[first..end].iter().filter(|line| !line.starts_with("| #define"));
        shown.copied().collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, u64, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, written, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mtime(*written);
            header.set_mode(0o644);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn the_newest_file_comes_first_and_none_leaves_its_folder() {
        let cmake = "one\ntwo\n";
        let config = "configure: 1\n| #define X\nconfigure: error: no libnowhere\n## Cache variables. ##\n";
        let found = Evidence::read(&archive(&[
            ("cores", 0, "work/core.7\n"),
            ("work/CMakeFiles/CMakeError.log", 5, cmake),
            ("work/sub/config.log", 9, config),
            ("../outside", 9, "x"),
            ("/etc/passwd", 9, "x"),
        ]));
        let shown = found.shown();
        assert_eq!(
            shown,
            "\nFrom work/sub/config.log:\nconfigure: 1\nconfigure: error: no libnowhere\n\
             From work/CMakeFiles/CMakeError.log:\none\ntwo\nCore dumps below /build: work/core.7"
        );
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        assert_eq!(found.keep(&kept).unwrap().len(), 2);
        assert_eq!(std::fs::read_to_string(kept.join("work/sub/config.log")).unwrap(), config);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_archive_is_nothing() {
        assert!(Evidence::read(b"tar: cannot").files.is_empty());
    }
}
