//! How fast bytes move, and how long the rest will take.

use hoist_protocol::Millis;

/// How far apart samples are at least.
const SAMPLE_MS: u64 = 500;
/// What is older than this does not count.
const WINDOW_MS: u64 = 10_000;
/// What the network takes at first goes into buffers, faster than any line.
const BUFFERS_MS: u64 = 1_000;
/// Nothing is said before this much time was measured: early figures jump.
const STABLE_MS: u64 = 2_000;
/// So long nothing may be under way between two requests, while files are read, and it counts all the same. After
/// more than that, what was before tells nothing any more.
const BETWEEN_MS: u64 = 1_000;
/// A longer gap was sleep, not slowness.
const GAP_MS: u64 = 30_000;

/// The mean of the last seconds, in whole numbers.
///
/// Counted is what the network took, and not only what is acknowledged: on a slow line minutes pass between two
/// acknowledgements, and then many bytes seem to come at once. It is the rate of the line: what has to be sent again
/// counts each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rate {
    moved: u64,
    /// For how long something was on its way, with the short times between.
    active_ms: u64,
    is_sending: bool,
    /// The last look at which something was, or had just been, on its way.
    seen: Option<Millis>,
    /// `active_ms` and `moved` of the last seconds, some twenty: no deque, which weighs more in wasm than moving them.
    samples: Vec<(u64, u64)>,
    bytes_per_s: u64,
}

impl Rate {
    /// The network took bytes.
    pub(crate) const fn add(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Looks at the clock.
    pub(crate) fn look(&mut self, now: Millis, is_sending: bool) {
        let span = self.seen.map_or(0, |seen| now.since(seen));
        let longest = if self.is_sending { GAP_MS } else { BETWEEN_MS };
        if span > longest {
            *self = Self::default();
        } else if self.is_sending || is_sending {
            self.active_ms = self.active_ms.saturating_add(span);
            self.sample();
        }
        if self.is_sending || is_sending {
            self.seen = Some(now);
        }
        self.is_sending = is_sending;
    }

    fn sample(&mut self) {
        let since = |(at, _): &(u64, u64)| self.active_ms.saturating_sub(*at);
        let age = self.samples.last().map_or(SAMPLE_MS, since);
        if self.active_ms < BUFFERS_MS || age < SAMPLE_MS {
            return;
        }
        let is_old = |sample: &(u64, u64)| since(sample) >= WINDOW_MS;
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.remove(0);
        }
        if let Some(first) = self.samples.first()
            && since(first) >= STABLE_MS
        {
            let moved = self.moved.saturating_sub(first.1);
            self.bytes_per_s = moved.saturating_mul(1000) / since(first);
        }
        self.samples.push((self.active_ms, self.moved));
    }

    /// When to look next; `None` if there is nothing to see.
    pub(crate) fn next_look(&self) -> Option<Millis> {
        self.seen
            .map(|seen| seen.plus(BETWEEN_MS.saturating_add(1)))
    }

    /// Bytes per second, once it is stable and while something is sent.
    pub(crate) fn bytes_per_s(&self) -> Option<u64> {
        (self.bytes_per_s > 0).then_some(self.bytes_per_s)
    }

    /// How long `left` bytes will take, in milliseconds, as long as a rate is known.
    pub(crate) fn time_left_ms(&self, left: u64) -> Option<u64> {
        Some(left.saturating_mul(1000) / self.bytes_per_s()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each second, with as many bytes before each look, and gives the last figure.
    fn send(rate: &mut Rate, seconds: std::ops::Range<u64>, bytes: u64) -> Option<u64> {
        for second in seconds {
            rate.look(Millis(second * 1000), true);
            rate.add(bytes);
        }
        rate.bytes_per_s()
    }

    #[test]
    fn it_says_nothing_until_it_is_stable_and_then_the_truth() {
        let mut rate = Rate::default();
        assert_eq!(send(&mut rate, 0..3, 1_000_000), None);
        assert_eq!(send(&mut rate, 3..4, 1_000_000), Some(1_000_000));
        assert_eq!(rate.time_left_ms(10_000_000), Some(10_000));
    }

    #[test]
    fn what_the_network_takes_into_its_buffers_at_once_does_not_count() {
        let mut rate = Rate::default();
        rate.look(Millis(0), true);
        rate.add(60_000);
        assert_eq!(send(&mut rate, 1..10, 2000), Some(2000));
    }

    #[test]
    fn after_a_pause_or_a_night_it_begins_anew() {
        for is_sending in [false, true] {
            let mut rate = Rate::default();
            assert_eq!(send(&mut rate, 0..8, 2000), Some(2000));
            rate.look(Millis(8000), is_sending);
            assert_eq!(rate.bytes_per_s(), Some(2000));
            rate.look(Millis(40_000_000), true);
            assert_eq!(rate.bytes_per_s(), None, "{is_sending}");
            assert_eq!(send(&mut rate, 40_001..40_010, 500), Some(500));
        }
    }

    #[test]
    fn where_nothing_is_sent_no_figure_is_left_standing() {
        let mut rate = Rate::default();
        send(&mut rate, 0..8, 2000);
        rate.look(Millis(8000), false);
        let next = rate.next_look().unwrap();
        rate.look(next, false);
        assert_eq!((rate.bytes_per_s(), rate.next_look()), (None, None));
        // Nor where something is, and stands still.
        send(&mut rate, 20..30, 2000);
        assert_eq!(send(&mut rate, 30..42, 0), None);
    }

    #[test]
    fn what_is_read_between_two_requests_takes_its_time_too() {
        let mut rate = Rate::default();
        for n in 0..100 {
            rate.look(Millis(n * 100), true);
            rate.add(1000);
            rate.look(Millis(n * 100 + 10), false);
            assert!(n < 50 || rate.time_left_ms(1).is_some());
        }
        let now = rate.bytes_per_s().unwrap();
        assert!((9_500..10_500).contains(&now), "{now}");
    }

    #[test]
    fn a_slower_line_is_noticed_in_ten_seconds() {
        let mut rate = Rate::default();
        send(&mut rate, 0..20, 100_000);
        let half = send(&mut rate, 20..25, 1_000).unwrap();
        assert!((40_000..70_000).contains(&half), "{half}");
        assert_eq!(send(&mut rate, 25..32, 1_000), Some(1_000));
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let mut rate = Rate::default();
        assert!(send(&mut rate, 0..4, u64::MAX / 4).is_some());
        assert!(rate.time_left_ms(u64::MAX).is_some());
        send(&mut rate, 4..20, u64::MAX);
        rate.look(Millis(u64::MAX), true);
        assert!(rate.next_look().is_some());
    }
}
