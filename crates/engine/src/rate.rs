//! How fast bytes move, and how long the rest will take.

use std::collections::VecDeque;

use hoist_protocol::Millis;

/// How far apart samples are at least.
const SAMPLE_MS: u64 = 500;
/// What is older than this does not count.
const WINDOW_MS: u64 = 10_000;
/// What the network takes at first goes into buffers, faster than any line.
const BUFFERS_MS: u64 = 1_000;
/// Nothing is said before this much time was measured: early figures jump.
const STABLE_MS: u64 = 2_000;
/// A longer gap was sleep, not slowness.
const GAP_MS: u64 = 30_000;
/// So long nothing may be under way between two requests, while files are read, and it counts all the same.
const BETWEEN_MS: u64 = 1_000;

/// The mean of the last seconds, in whole numbers.
///
/// Counted is what the network took, and not only what is acknowledged: on a slow line minutes pass between two
/// acknowledgements, and then many bytes seem to come at once. What did not arrive is taken out again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rate {
    /// Acknowledged, or on its way as the network says.
    moved: u64,
    /// For how long something was on its way, without sleep.
    active_ms: u64,
    is_sending: bool,
    /// When something was last seen to be on its way.
    seen: Option<Millis>,
    /// `active_ms` and `moved` of the last seconds.
    samples: VecDeque<(u64, u64)>,
    bytes_per_s: u64,
}

impl Rate {
    /// Bytes were acknowledged, or the network took them.
    pub(crate) const fn add(&mut self, bytes: u64) {
        self.moved = self.moved.wrapping_add(bytes);
    }

    /// What the network took of a request is acknowledged, which counts by itself, or has not arrived.
    pub(crate) const fn end_request(&mut self, taken: u64) {
        self.moved = self.moved.wrapping_sub(taken);
    }

    /// Looks at the clock. While nothing is under way for longer, time does not count.
    pub(crate) fn look(&mut self, now: Millis, is_sending: bool) {
        let mut span = self.seen.map_or(0, |seen| now.since(seen));
        if !self.is_sending && span > BETWEEN_MS {
            span = 0;
        }
        if !is_sending && !self.is_sending {
            return;
        }
        self.is_sending = is_sending;
        self.seen = Some(now);
        if span > GAP_MS {
            self.samples.clear();
            return;
        }
        self.active_ms = self.active_ms.saturating_add(span);
        let since = |(at, _): &(u64, u64)| self.active_ms.saturating_sub(*at);
        let age = self.samples.back().map_or(SAMPLE_MS, since);
        if self.active_ms < BUFFERS_MS || age < SAMPLE_MS {
            return;
        }
        let is_old = |sample: &(u64, u64)| since(sample) >= WINDOW_MS;
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
        if let Some(first) = self.samples.front()
            && since(first) >= STABLE_MS
        {
            // Less than nothing if much of it was lost.
            let moved = self.moved.wrapping_sub(first.1).cast_signed().max(0);
            self.bytes_per_s = moved.unsigned_abs().saturating_mul(1000) / since(first);
        }
        self.samples.push_back((self.active_ms, self.moved));
    }

    /// When to look next; `None` while nothing is sent.
    pub(crate) fn next_look(&self) -> Option<Millis> {
        let seen = self.seen.filter(|_| self.is_sending);
        seen.map(|seen| seen.plus(1000))
    }

    /// Bytes per second, once it is stable.
    pub(crate) fn bytes_per_s(&self) -> Option<u64> {
        (self.bytes_per_s > 0).then_some(self.bytes_per_s)
    }

    /// How long `left` bytes will take, in milliseconds; while something is sent.
    pub(crate) fn time_left_ms(&self, left: u64) -> Option<u64> {
        let rate = self.bytes_per_s().filter(|_| self.is_sending)?;
        Some(left.saturating_mul(1000) / rate)
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
            rate.add(1_000_000);
            rate.look(Millis(second * 1000), true);
            assert_eq!(rate.bytes_per_s(), None);
        }
        rate.add(1_000_000);
        rate.look(Millis(3000), true);
        assert_eq!(rate.bytes_per_s(), Some(1_000_000));
        assert_eq!(rate.time_left_ms(10_000_000), Some(10_000));
    }

    #[test]
    fn a_pause_and_a_nights_sleep_do_not_count_as_slowness() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=5 {
            rate.add(2000);
            rate.look(Millis(second * 1000), true);
        }
        rate.look(Millis(5000), false);
        assert_eq!(rate.time_left_ms(1), None, "nothing is sent");
        rate.look(Millis(600_000), true);
        rate.look(Millis(40_000_000), true);
        assert_eq!(rate.bytes_per_s(), Some(2000));
    }

    #[test]
    fn what_is_read_between_two_requests_takes_its_time_too() {
        let mut rate = Rate::default();
        for n in 0..100 {
            rate.look(Millis(n * 100), true);
            rate.add(1000);
            rate.look(Millis(n * 100 + 10), false);
        }
        let now = rate.bytes_per_s().unwrap();
        assert!((9_000..11_500).contains(&now), "{now}");
    }

    #[test]
    fn what_was_lost_on_its_way_is_taken_out_again() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=8 {
            rate.add(1000);
            rate.look(Millis(second * 1000), true);
        }
        assert_eq!(rate.bytes_per_s(), Some(1000));
        // Half of it has not arrived; and then nothing moves.
        rate.end_request(4000);
        rate.look(Millis(9000), true);
        assert_eq!(rate.bytes_per_s(), Some(375));
        for second in 10..=20 {
            rate.look(Millis(second * 1000), true);
        }
        assert_eq!(rate.bytes_per_s(), None);
        rate.end_request(4000);
        rate.look(Millis(21_000), true);
        assert_eq!(rate.bytes_per_s(), None);
    }

    #[test]
    fn a_slower_line_is_noticed_in_some_seconds() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        for second in 1..=40 {
            rate.add(if second <= 20 { 100_000 } else { 1_000 });
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
            rate.add(u64::MAX / 32);
            rate.look(Millis(n * 1000), true);
        }
        assert!(rate.time_left_ms(u64::MAX).is_some());
        rate.look(Millis(u64::MAX), true);
        assert!(rate.next_look().is_some());
    }
}
