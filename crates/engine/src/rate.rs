//! How fast acknowledged bytes come in, and how long the rest will take.

use hoist_protocol::Millis;

/// Shortest span that is measured as one sample.
const SAMPLE_MS: u64 = 500;
/// Memory of the average: what was twice as long ago counts for little.
const MEMORY_MS: u64 = 8_000;
/// Nothing is said before this much time was measured: early figures jump.
const STABLE_MS: u64 = 3_000;
/// A longer gap was sleep, not slowness.
const GAP_MS: u64 = 30_000;

/// A moving average over wall time, in whole numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    /// Where the present sample began; `None` while nothing is sent.
    from: Option<Millis>,
    bytes: u64,
    bytes_per_s: u64,
    measured_ms: u64,
}

impl Rate {
    /// Bytes were acknowledged.
    pub(crate) const fn acknowledged(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Looks at the clock. While nothing is under way time does not count.
    pub(crate) fn look(&mut self, now: Millis, is_sending: bool) {
        let Some(from) = self.from else {
            if is_sending {
                self.from = Some(now);
            }
            self.bytes = 0;
            return;
        };
        let span = now.since(from);
        if span > GAP_MS {
            self.bytes = 0;
            self.from = is_sending.then_some(now);
            return;
        }
        if span >= SAMPLE_MS || (!is_sending && span > 0) {
            let sample = self.bytes.saturating_mul(1000) / span;
            // The memory grows from nothing, so that the first samples are a plain mean.
            let memory = self.measured_ms.min(MEMORY_MS);
            let weighed = self
                .bytes_per_s
                .saturating_mul(memory)
                .saturating_add(sample.saturating_mul(span));
            self.bytes_per_s = weighed / memory.saturating_add(span);
            self.measured_ms = self.measured_ms.saturating_add(span);
            self.bytes = 0;
            self.from = Some(now);
        }
        if !is_sending {
            self.from = None;
        }
    }

    /// When to look next; `None` while nothing is sent.
    pub(crate) fn next_look(&self) -> Option<Millis> {
        self.from.map(|from| from.plus(1000))
    }

    /// Bytes per second, once it is stable.
    pub(crate) fn bytes_per_s(&self) -> Option<u64> {
        (self.measured_ms >= STABLE_MS && self.bytes_per_s > 0).then_some(self.bytes_per_s)
    }

    /// How long `left` bytes will take, in milliseconds; while something is sent.
    pub(crate) fn time_left_ms(&self, left: u64) -> Option<u64> {
        self.from?;
        Some(left.saturating_mul(1000) / self.bytes_per_s()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_nothing_until_it_is_stable_and_then_the_truth() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=2 {
            rate.acknowledged(1_000_000);
            rate.look(Millis(second * 1000), true);
            assert_eq!(rate.bytes_per_s(), None);
        }
        rate.acknowledged(1_000_000);
        rate.look(Millis(3000), true);
        assert_eq!(rate.bytes_per_s(), Some(1_000_000));
        assert_eq!(rate.time_left_ms(10_000_000), Some(10_000));
    }

    #[test]
    fn a_pause_and_a_nights_sleep_do_not_count_as_slowness() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=5 {
            rate.acknowledged(2000);
            rate.look(Millis(second * 1000), true);
        }
        rate.look(Millis(5000), false);
        assert_eq!(rate.time_left_ms(1), None, "nothing is sent");
        rate.look(Millis(600_000), true);
        rate.look(Millis(40_000_000), true);
        assert_eq!(rate.bytes_per_s(), Some(2000));
    }

    #[test]
    fn a_slower_line_is_noticed_in_some_seconds() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=40 {
            rate.acknowledged(if second <= 20 { 100_000 } else { 1_000 });
            rate.look(Millis(second * 1000), true);
        }
        let now = rate.bytes_per_s().unwrap();
        assert!((1_000..20_000).contains(&now), "{now}");
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for n in 1..10 {
            rate.acknowledged(u64::MAX);
            rate.look(Millis(n * 1000), true);
        }
        assert!(rate.time_left_ms(u64::MAX).is_some());
        rate.look(Millis(u64::MAX), true);
        assert!(rate.next_look().is_some());
    }
}
