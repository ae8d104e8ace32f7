//! Memory over time: samples, thinned to as many as a picture can show.

use serde::{Deserialize, Serialize};

/// Memory in use at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the phase began, in tenths.
    pub seconds: f64,
    /// Bytes in use, without page cache.
    pub bytes: u64,
}

/// Samples that are kept of a phase, whether it takes a second or a day.
pub const MOST: usize = 240;

/// Takes samples as they come, as many as there are.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    kept: Vec<Sample>,
    /// How many that come in make one that is kept, as a power of two.
    thinned: u32,
    /// The largest of those that are not kept yet, and how many there are.
    pending: Option<(Sample, usize)>,
}

impl Samples {
    /// Takes a sample: `seconds` since the phase began, and the bytes in use. Of those that come too close together the
    /// largest is kept, so that no peak is lost.
    pub fn add(&mut self, seconds: f64, bytes: u64) {
        let sample = Sample { seconds: (seconds * 10.0).round() / 10.0, bytes };
        let (largest, count) = match self.pending {
            Some((before, count)) => (larger(before, sample), count + 1),
            None => (sample, 1),
        };
        self.pending = Some((largest, count));
        if count < 1 << self.thinned {
            return;
        }
        self.keep();
        if self.kept.len() == MOST {
            self.kept =
                self.kept.chunks(2).map(|pair| pair.iter().copied().reduce(larger).expect("not empty")).collect();
            self.thinned += 1;
        }
    }

    fn keep(&mut self) {
        self.kept.extend(self.pending.take().map(|(sample, _)| sample));
    }

    /// At most [`MOST`] samples, in the order of time.
    pub fn finish(mut self) -> Vec<Sample> {
        self.keep();
        self.kept
    }
}

/// The first of two that are the same.
fn larger(first: Sample, second: Sample) -> Sample {
    if second.bytes > first.bytes { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_kept_of_many_and_no_peak_is_lost() {
        let mut samples = Samples::default();
        samples.add(0.04, 5);
        samples.add(1.26, 7);
        let two = [Sample { seconds: 0.0, bytes: 5 }, Sample { seconds: 1.3, bytes: 7 }];
        assert_eq!(samples.clone().finish(), two);
        for second in 2..100_000_u32 {
            samples.add(second.into(), if second == 77_777 { 99 } else { u64::from(second % 3) });
        }
        let kept = samples.finish();
        assert!((MOST / 2..=MOST).contains(&kept.len()), "{}", kept.len());
        assert!(kept.contains(&Sample { seconds: 77_777.0, bytes: 99 }), "{kept:?}");
        assert!(kept.is_sorted_by(|a, b| a.seconds < b.seconds) && kept[0].bytes == 7, "{kept:?}");
        assert!(kept.last().unwrap().seconds > 99_000.0, "{kept:?}");
    }
}
