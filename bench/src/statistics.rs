//! Clocks, and what is made of many measurements.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The time of the clock that all processes of the machine share, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// The processor time that this process has used, all threads, user and system.
pub fn processor_time() -> Duration {
    Duration::from_nanos(nanoseconds(clock_gettime(ClockId::ProcessCPUTime)))
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// The value below which this part of the samples lies.
pub fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The middle one of the samples.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The least and the greatest of the samples.
pub fn spread(samples: &[f64]) -> Option<(f64, f64)> {
    (samples.len() > 1).then(|| (quantile(samples, 0.0), quantile(samples, 1.0)))
}

/// So many things in this time, as a rate.
pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!((median(&samples), quantile(&samples, 0.99)), (3.0, 5.0));
        assert_eq!(spread(&samples), Some((1.0, 5.0)));
        assert!(median(&[]).is_nan());
    }
}
