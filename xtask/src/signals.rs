//! The signals that ask this program to end, whoever sends them.

use std::task::Poll;

use foundation::failure::{AnyFailure, Message};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, Ctrl-\\, a service manager, and a terminal that is gone: of an ssh connection that was lost, for one.
fn kinds() -> [SignalKind; 4] {
    [SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate(), SignalKind::hangup()]
}

/// The signals that ask this program to end, while it listens for them.
pub struct Endings(Vec<Signal>);

impl Endings {
    /// Listens from now on. What this process was started to ignore stays ignored: `nohup` does so with SIGHUP, a shell with
    /// Ctrl-C for what it runs in the background.
    ///
    /// # Errors
    /// The operating system does not let it listen.
    pub fn new() -> Result<Self, AnyFailure> {
        let ignored = ignored();
        let wanted = kinds().into_iter().filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0);
        let signals = wanted.map(|kind| signal(kind).map_err(Message::of("cannot wait for signals")));
        Ok(Self(signals.collect::<Result<_, Message>>()?))
    }

    /// Waits for the next of these signals.
    pub async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let came = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The signals that this process ignores, as a mask in which the lowest bit is signal 1: `SigIgn` of proc(5).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
