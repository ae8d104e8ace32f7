//! How far many downloads are together.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{DownloadEvent, Listener, Wanted};

/// How far the downloads of one call have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownloadProgress {
    /// Bytes of complete and of growing files that are there.
    pub bytes_done: u64,
    /// Bytes of all files together, as far as their sizes are known.
    pub bytes_total: u64,
    /// Files that are in the store with the right digest.
    pub files_done: usize,
    /// Files that are wanted, with those that were there before.
    pub files_total: usize,
    /// The name of the file that grew last.
    pub current: String,
}

/// Adds up what many threads do and tells it, not too often.
pub(super) struct Meter<'a> {
    pub(super) on: Listener<'a>,
    state: Mutex<(DownloadProgress, Instant)>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(on: Listener<'a>, start: DownloadProgress) -> Self {
        on(DownloadEvent::Progress(start.clone()));
        Self { on, state: Mutex::new((start, Instant::now())) }
    }

    fn change(&self, change: impl FnOnce(&mut DownloadProgress)) {
        let mut state = self.state.lock().unwrap();
        change(&mut state.0);
        if state.1.elapsed() >= Duration::from_millis(100) {
            state.1 = Instant::now();
            (self.on)(DownloadEvent::Progress(state.0.clone()));
        }
    }

    pub(super) fn moved(&self, name: &str, from: u64, to: u64) {
        self.change(|progress| {
            progress.bytes_done = (progress.bytes_done + to).saturating_sub(from);
            progress.bytes_total = progress.bytes_total.max(progress.bytes_done);
            name.clone_into(&mut progress.current);
        });
    }

    pub(super) fn file_done_counted(&self, wanted: &Wanted, counted: u64) {
        self.change(|progress| {
            let size = wanted.size.unwrap_or(counted);
            progress.bytes_done = (progress.bytes_done + size).saturating_sub(counted);
            progress.files_done += 1;
            wanted.name.clone_into(&mut progress.current);
        });
    }

    pub(super) fn file_done(&self, wanted: &Wanted) {
        self.file_done_counted(wanted, 0);
    }

    pub(super) fn finish(&self) {
        (self.on)(DownloadEvent::Progress(self.state.lock().unwrap().0.clone()));
    }
}
