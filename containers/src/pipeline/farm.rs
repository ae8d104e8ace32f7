//! The compile farm of a run.

use std::path::Path;

use packaging::progress::{Event, Progress};
use packaging::root_lock::RootKind;

use super::build::Builder;
use super::{Error, fetch_debs};
use crate::farm::{Answer, Gateway};

/// Where a phase leaves who compiled what, below `/build/out`.
pub const COMPILED_BY: &str = "compiled-by";

/// Opens the way to the workers that were asked for. One that does not compile is told of, and done without.
pub async fn open(builder: &Builder<'_>) -> Result<Option<Gateway>, Error> {
    let Builder { engine, store, options, build, root, progress, .. } = *builder;
    if build.workers.is_empty() {
        return Ok(None);
    }
    let lock = options.lock(RootKind::Farm)?;
    let debs = tokio::task::block_in_place(|| fetch_debs(store, options, &lock, progress))?;
    let gateway = Gateway::open(engine, root, &debs, &build.workers).await?;
    for (worker, answer) in &gateway.answers {
        let text = format!("worker {} {}", worker.endpoint(), answer.text());
        progress.event(match answer {
            Answer::Compiled => Event::Note { text },
            _ => Event::Warning { text },
        });
    }
    Ok(Some(gateway))
}

/// Says how much of a phase the workers compiled, and removes the file that says so.
pub fn tell(phase: &str, path: &Path, progress: &dyn Progress) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let _ = std::fs::remove_file(path);
    progress.event(Event::Note { text: format!("phase {phase}: {}", summary(&text)) });
}

/// Lines `worker FILE` and `here FILE` in one sentence.
fn summary(text: &str) -> String {
    let here: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("here ")).collect();
    let workers = text.lines().filter(|line| line.starts_with("worker ")).count();
    let mut all = format!("{workers} files compiled by workers, {} here", here.len());
    const SHOWN: usize = 5;
    if !here.is_empty() {
        all += &format!(": {}", here[..here.len().min(SHOWN)].join(", "));
    }
    if here.len() > SHOWN {
        all += &format!(" and {} more", here.len() - SHOWN);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_compiled_what() {
        assert_eq!(summary("worker a.c\nworker b.c\n"), "2 files compiled by workers, 0 here");
        assert_eq!(summary("here z.c\nworker b.c\n"), "1 files compiled by workers, 1 here: z.c");
        let many: String = (0..7).map(|i| format!("here {i}.c\n")).collect();
        assert!(summary(&many).ends_with("7 here: 0.c, 1.c, 2.c, 3.c, 4.c and 2 more"), "{}", summary(&many));
    }
}
