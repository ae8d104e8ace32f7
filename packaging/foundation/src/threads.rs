//! Several packages at once: as many as there are threads for, and as many threads as were asked for.
//!
//! A large package is compressed by several threads and a small one by one, so what is shared out are threads, not
//! packages: each takes what it can use of those that are free. Nothing of that shows in what comes out.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};

/// How many threads can run at the same time on this machine; 1 where it does not say.
pub fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// A number of threads that several jobs share.
#[derive(Debug)]
pub struct Threads {
    free: Mutex<u32>,
    returned: Condvar,
}

/// Threads that somebody has, until it is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    threads: &'a Threads,
    /// How many threads are held: one at least.
    pub count: u32,
}

impl Threads {
    /// Shares out `count` threads. Zero counts as one.
    pub fn new(count: u32) -> Self {
        Self { free: Mutex::new(count.max(1)), returned: Condvar::new() }
    }

    /// Takes up to `wanted` of the free threads; waits while there is none.
    pub fn take(&self, wanted: u32) -> Held<'_> {
        let free = self.free.lock().expect("no panic while held");
        let mut free = self.returned.wait_while(free, |free| *free == 0).expect("no panic while held");
        let count = wanted.clamp(1, *free);
        *free -= count;
        Held { threads: self, count }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.threads.free.lock().expect("no panic while held") += self.count;
        self.threads.returned.notify_all();
    }
}

/// Says that one of several jobs failed, so that the others need not go on.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// An error once another job has failed; what a job returns then is not shown.
    ///
    /// # Errors
    /// Another job has failed.
    pub fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::Error::other("another one failed")) } else { Ok(()) }
    }

    /// Wraps a reader, so that reading fails with this error once another job has failed.
    pub fn reader<R: Read>(&self, inner: R) -> impl Read + use<'_, R> {
        Stoppable { inner, stop: self }
    }
}

struct Stoppable<'a, R> {
    inner: R,
    stop: &'a Stop,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stop.check()?;
        self.inner.read(buffer)
    }
}

/// Does a job for every item, `count` at once, in the items' order. The first error ends those that are under way, as
/// soon as they look, and all others; it is returned when no job runs any more.
///
/// # Errors
/// A job failed: the error is that of the first that did. Jobs that were told to stop are not reported.
pub fn for_all<T: Sync, R: Send + Sync, E: Send>(
    count: u32,
    items: &[T],
    job: impl Fn(&T, &Stop) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (stop, next, failed) = (Stop::default(), AtomicUsize::new(0), Mutex::new(None));
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        while stop.check().is_ok() {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(n) else { return };
            match job(item, &stop) {
                Ok(result) => drop(results[n].set(result)),
                Err(error) => {
                    // Those that were told to stop come later than the one that failed.
                    failed.lock().expect("no panic while held").get_or_insert(error);
                    stop.0.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..items.len().min(count.max(1) as usize) {
            scope.spawn(work);
        }
    });
    match failed.into_inner().expect("no thread panicked") {
        Some(error) => Err(error),
        None => Ok(results.into_iter().map(|result| result.into_inner().expect("every job was done")).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn no_more_threads_than_there_are() {
        let (threads, busy) = (Threads::new(3), AtomicUsize::new(0));
        let items: Vec<u32> = (0..20).map(|n| n % 5).collect();
        let most = for_all(8, &items, |wanted, _| {
            let held = threads.take(*wanted);
            assert!((1..=(*wanted).max(1)).contains(&held.count), "{} of {wanted}", held.count);
            let all = busy.fetch_add(held.count as usize, Ordering::SeqCst) + held.count as usize;
            std::thread::sleep(Duration::from_millis(1));
            busy.fetch_sub(held.count as usize, Ordering::SeqCst);
            Ok::<_, ()>(all)
        });
        assert!(most.unwrap().into_iter().all(|all| all <= 3));
        assert_eq!(threads.take(9).count, 3, "all were given back");
    }

    #[test]
    fn results_are_in_order_whatever_ends_first() {
        let job = |n: &u64, _: &Stop| {
            std::thread::sleep(Duration::from_millis(5 - n));
            Ok::<_, ()>(n * 2)
        };
        assert_eq!(for_all(4, &[0, 1, 2, 3, 4], job).unwrap(), [0, 2, 4, 6, 8]);
        assert_eq!(for_all(4, &[], job).unwrap(), [0; 0]);
    }

    #[test]
    fn the_first_error_ends_the_others() {
        let begun = AtomicUsize::new(0);
        let started = Instant::now();
        let error = for_all(2, &["long", "fails", "never"], |name, stop| {
            begun.fetch_add(1, Ordering::SeqCst);
            if *name == "fails" {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            let mut endless = stop.reader(io::repeat(0));
            while started.elapsed() < Duration::from_secs(60) {
                endless.read_exact(&mut [0; 64])?;
            }
            panic!("nobody told it to stop");
        });
        let error: io::Result<Vec<()>> = error;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(begun.into_inner(), 2);
    }
}
