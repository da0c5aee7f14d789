//! What the line can take: how large a pack, and how many at once.

use hoist_protocol::{Limits, Millis};

use crate::EngineConfig;

/// Size of the first packs.
const FIRST_PACK: u64 = 4 << 20;
/// A request should take about this long: long enough that its own cost does not matter, short
/// enough that a broken one costs little. Between two and eight seconds is as good.
const AIM_MS: u64 = 4_000;
/// Requests at the start. Where the requests share the line, fewer would do as well; where each has its own
/// part, every request that comes later has been missed until then.
const FIRST_PARALLEL: u32 = 4;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Wanted size of a pack.
    target: u64,
    /// No pack may be larger: a proxy said so.
    ceiling: u64,
    parallel: u32,
    /// Bytes per second of one request, averaged.
    request_rate: Option<u64>,
    /// What came in since the number of requests was last judged.
    window: Option<(Millis, u64, u32)>,
    best: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            target: FIRST_PACK,
            ceiling: u64::MAX,
            parallel: FIRST_PARALLEL,
            request_rate: None,
            window: None,
            best: 0,
        }
    }
}

impl Line {
    /// How many packs may be under way.
    pub(crate) fn parallel(&self, config: &EngineConfig) -> u32 {
        self.parallel.clamp(1, config.max_concurrent.max(1))
    }

    /// Wanted bytes of a pack now.
    pub(crate) fn pack_size(&self, config: &EngineConfig, limits: &Limits) -> u64 {
        // One pack more than there are requests must fit, or reading and sending take turns.
        let share = config.read_ahead / u64::from(self.parallel(config).saturating_add(1));
        self.target
            .min(self.ceiling)
            .min(limits.pack_size)
            .min(config.largest_pack)
            .min(share)
            .max(1)
    }

    /// Most bytes of a file that is sent whole although it makes a pack larger than wanted: what would still
    /// take no longer than a request may, and four packs as long as nobody knows.
    pub(crate) fn most_at_once(&self, config: &EngineConfig) -> u64 {
        let by_time = self.request_rate.map_or(4 * FIRST_PACK, |rate| {
            rate.saturating_mul(2 * AIM_MS) / 1000
        });
        let share = config.read_ahead / u64::from(self.parallel(config).saturating_add(1));
        by_time.min(share).min(self.ceiling)
    }

    /// What a request of so many bytes should take, if that is known.
    pub(crate) fn expected_ms(&self, bytes: u64) -> Option<u64> {
        Some(bytes.saturating_mul(1000) / self.request_rate?.max(1))
    }

    /// A pack goes out; `is_first` if none was under way.
    pub(crate) const fn begin(&mut self, now: Millis, is_first: bool) {
        if is_first || self.window.is_none() {
            self.window = Some((now, 0, 0));
        }
    }

    /// A pack was acknowledged.
    pub(crate) fn succeed(&mut self, now: Millis, bytes: u64, took_ms: u64, config: &EngineConfig) {
        let rate = bytes.saturating_mul(1000) / took_ms.max(1);
        self.request_rate = Some(
            self.request_rate
                .map_or(rate, |old| old / 4 * 3 + rate / 4)
                .max(1),
        );
        // A small pack says nothing about large ones, unless even that one was slow.
        if bytes >= self.target / 2 || took_ms > 2 * AIM_MS {
            let wish = rate.saturating_mul(AIM_MS) / 1000;
            self.target = wish
                .clamp(self.target / 2, self.target.saturating_mul(2))
                .clamp(64 << 10, 1 << 30);
        }
        let Some((from, sum, packs)) = self.window else {
            return;
        };
        let (sum, packs) = (sum.saturating_add(bytes), packs.saturating_add(1));
        if packs < self.parallel(config).saturating_mul(2) {
            self.window = Some((from, sum, packs));
            return;
        }
        let speed = sum.saturating_mul(1000) / now.since(from).max(1);
        if speed / 10 > self.best / 9 {
            // Still growing: one more.
            self.best = speed;
            self.parallel = self
                .parallel
                .saturating_add(1)
                .clamp(1, config.max_concurrent.max(1));
        } else if speed < self.best / 2 && self.parallel > FIRST_PARALLEL {
            self.best = speed;
            self.parallel = self.parallel.saturating_sub(1);
        } else {
            // The record fades, so that a line that recovers can grow again.
            self.best = self.best / 16 * 15 + speed / 16;
        }
        self.window = Some((now, 0, 0));
    }

    /// A pack had no answer, or a bad one: smaller and fewer.
    pub(crate) fn fail(&mut self, config: &EngineConfig) {
        self.target = (self.target / 2).max(64 << 10);
        self.parallel = (self.parallel(config) / 2).max(1);
        self.best = 0;
        self.window = None;
    }

    /// A proxy refuses packs of this size, and always will.
    pub(crate) fn refuse(&mut self, bytes: u64) {
        self.ceiling = self.ceiling.min((bytes / 2).max(1));
    }

    /// The chunk size to wish for instead of `wish`: one that a proxy lets pass.
    pub(crate) fn chunk_size(&self, wish: u64) -> u64 {
        wish.min(1 << self.ceiling.ilog2())
    }
}

#[cfg(test)]
mod tests {
    use hoist_protocol::Sender;

    use super::*;

    fn config() -> EngineConfig {
        EngineConfig {
            read_ahead: 1 << 40,
            ..EngineConfig::new(Sender::new("s").unwrap())
        }
    }

    /// Sends `packs` packs over a line of `rate` bytes per second, shared by the requests.
    fn run(line: &mut Line, rate: u64, packs: u32) {
        let (config, limits) = (config(), Limits::default());
        let mut now = Millis(0);
        line.begin(now, true);
        for _ in 0..packs {
            let size = line.pack_size(&config, &limits);
            let parallel = u64::from(line.parallel(&config));
            let took = size * 1000 * parallel / rate;
            now = now.plus(took / parallel);
            line.succeed(now, size, took, &config);
        }
    }

    #[test]
    fn packs_aim_at_some_seconds_on_every_line() {
        for rate in [50_000, 300_000, 2_000_000, 10_000_000] {
            let mut line = Line::default();
            run(&mut line, rate, 40);
            let (config, limits) = (config(), Limits::default());
            let size = line.pack_size(&config, &limits);
            let seconds_10 = size * 10 * u64::from(line.parallel(&config)) / rate;
            assert!(
                (20..=80).contains(&seconds_10) || size == limits.pack_size,
                "{rate} B/s: {size} bytes take {seconds_10}/10 s"
            );
        }
    }

    #[test]
    fn a_fast_line_fills_the_servers_largest_pack_and_all_requests() {
        let mut line = Line::default();
        let (config, limits) = (config(), Limits::default());
        let mut now = Millis(0);
        line.begin(now, true);
        for _ in 0..40 {
            // Each request has its own 100 MB/s: more requests, more throughput.
            let size = line.pack_size(&config, &limits);
            let took = size / 100_000;
            now = now.plus(took / u64::from(line.parallel(&config)));
            line.succeed(now, size, took, &config);
        }
        assert_eq!(line.pack_size(&config, &limits), limits.pack_size);
        assert_eq!(line.parallel(&config), 4);
    }

    #[test]
    fn after_failures_a_full_line_does_not_get_more_requests() {
        let mut line = Line::default();
        line.fail(&config());
        line.fail(&config());
        assert_eq!(line.parallel(&config()), 1);
        run(&mut line, 1_000_000, 60);
        assert!(line.parallel(&config()) <= 2);
    }

    #[test]
    fn failures_make_packs_smaller_and_a_proxys_limit_stays() {
        let (config, limits) = (config(), Limits::default());
        let mut line = Line::default();
        line.fail(&config);
        assert_eq!(line.pack_size(&config, &limits), FIRST_PACK / 2);
        assert_eq!(line.parallel(&config), FIRST_PARALLEL / 2);
        line.refuse(1 << 20);
        run(&mut line, 100_000_000, 50);
        assert_eq!(line.pack_size(&config, &limits), 1 << 19);
    }

    #[test]
    fn no_pack_is_larger_than_the_driver_likes() {
        let config = EngineConfig {
            largest_pack: 3 << 20,
            ..config()
        };
        let mut line = Line::default();
        run(&mut line, 100_000_000, 50);
        assert_eq!(line.pack_size(&config, &Limits::default()), 3 << 20);
    }

    #[test]
    fn read_ahead_bounds_the_packs() {
        let line = Line::default();
        let config = EngineConfig {
            read_ahead: 5 << 20,
            ..config()
        };
        assert_eq!(line.pack_size(&config, &Limits::default()), 1 << 20);
    }
}
