//! What this process itself uses: packing and signing are its work.

use std::fs;

/// CPU time that this process and those of its children that have ended used so far, in seconds: proc(5), `stat`.
pub fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat).unwrap_or(0) as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Fields 14 to 17: utime, stime, cutime, cstime.
fn ticks(stat: &str) -> Option<u64> {
    // The program's name is in parentheses and may have anything in it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

/// Forgets the largest memory use so far: proc(5), `clear_refs`. Where the kernel does not allow it, [`peak`] is that since
/// the start.
pub fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The largest memory use since [`reset_peak`], in bytes: `VmHWM` in proc(5), `status`.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    high_water(&status).unwrap_or(0)
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 200 0 0 150 30 4 6 20 0 1 0 100 1 2";
        assert_eq!(ticks(stat), Some(190));
        assert_eq!(ticks("7 (a) S 1"), None);
        assert_eq!(high_water("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 3 kB\n"), Some(2 << 20));
    }

    #[test]
    fn of_this_process() {
        let before = cpu();
        let started = std::time::Instant::now();
        let mut sum = 0_u64;
        while started.elapsed().as_secs_f64() < 0.1 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu() > before, "a tenth of a second of work shows");
        reset_peak();
        let small = peak();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(peak() >= small + (32 << 20), "64 MiB show: {small}, {}", peak());
        drop(block);
    }
}
