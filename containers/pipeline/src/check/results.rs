//! What a run of the tests leaves: JUnit XML, a summary, and a log for each test that did not pass.

use std::fs;
use std::path::{Path, PathBuf};

use foundation::public;
use statements::check::verdict::{Judged, Verdict};
use statements::check::{junit, summary};
use time::{Date, OffsetDateTime};

use super::Checked;
use crate::error::Error;
use crate::records::write_file;

const SUMMARY: &str = "summary.txt";

/// Today's date in UTC: by it the quarantine's entries expire.
pub fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// The folder for results that belong to no published packages: `dist/check/debian-12-amd64` for
/// `dist/debian-12-amd64`.
pub fn results_beside(dist: &Path) -> PathBuf {
    match (dist.parent(), dist.file_name()) {
        (Some(parent), Some(name)) => parent.join("check").join(name),
        _ => dist.join("check"),
    }
}

/// Writes the results into a folder, in place of earlier ones.
///
/// # Errors
/// The folder holds something else than results, or it or its parent cannot be written.
pub fn write_folder(checked: &Checked, folder: &Path) -> Result<(), Error> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    public::make_folder(parent).map_err(Error::io("make the folder", parent))?;
    let new = tempfile::Builder::new().prefix(".check-").tempdir_in(parent).map_err(Error::io("write into", parent))?;
    // The folder is for everybody, unlike a temporary one.
    let content = new.path().join("new");
    fs::create_dir(&content).map_err(Error::io("make the folder", &content))?;
    write(checked, &content)?;
    public::let_all_read(&content).map_err(Error::io("write", &content))?;
    if folder.exists() {
        // Only what is ours: a folder of the user's with other things in it is not to be lost.
        if !folder.join(SUMMARY).exists() {
            return Err(Error::io("replace", folder)(std::io::Error::other("it is not a folder of test results")));
        }
        fs::rename(folder, new.path().join("old")).map_err(Error::io("rename", folder))?;
    }
    fs::rename(&content, folder).map_err(Error::io("write", folder))
}

/// Where the log of a test is among the results; none of one that passed or was not run.
pub fn log_path(test: &Judged) -> Option<String> {
    // A parameter's number follows a slash.
    let name = || format!("logs/{}/{}.log", test.record.program, test.record.test.replace('/', "_"));
    (!matches!(test.verdict, Verdict::Passed | Verdict::Skipped)).then(name)
}

/// Writes the results into a folder that exists and is empty: `junit.xml`, `summary.txt`, and in `logs` a file for each
/// test that neither passed nor was skipped.
///
/// # Errors
/// The folder cannot be written.
pub fn write(checked: &Checked, folder: &Path) -> Result<(), Error> {
    write_file(&folder.join("junit.xml"), junit::xml(&checked.judgement).as_ref())?;
    let mut text = summary::text(&checked.judgement, &checked.shards, checked.seconds);
    if let Some(taken) = &checked.taken {
        text += &format!("\nThe tests did not run here; the verdict was taken from {}\n", taken.place);
        for by in &taken.builders {
            text += &format!("  stated by {} ({}), statement {}\n", by.user_id, by.key, by.statement);
        }
    }
    if !checked.notices.is_empty() {
        let machine = if checked.taken.is_some() { "the machine that ran them" } else { "this machine" };
        text += &format!("\nThe test programs said of {machine}:\n");
        for notice in &checked.notices {
            text += &format!("  {notice}\n");
        }
    }
    write_file(&folder.join(SUMMARY), text.as_bytes())?;
    for test in &checked.judgement.tests {
        let Some(path) = log_path(test).map(|path| folder.join(path)) else { continue };
        let parent = path.parent().expect("in the folder");
        fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        let mut log = String::new();
        for execution in &test.record.executions {
            let place = if execution.alone { " alone" } else { "" };
            log += &format!("=== {}{place}, {:.3} s\n{}\n", execution.outcome, execution.seconds, execution.output);
        }
        write_file(&path, log.as_bytes())?;
    }
    Ok(())
}
