//! A line as water in pipes: requests share its rate evenly, none gets more than a connection can carry, and
//! each way takes half the round trip. Whole numbers and no randomness, so a run is the same everywhere.

use std::collections::BTreeMap;

/// Microseconds.
pub(super) type Time = u64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Bytes per second of all requests together.
    pub(super) rate: u64,
    /// There and back, in milliseconds.
    pub(super) rtt_ms: u64,
    /// Bytes per second of one request: a window that is too small, or a busy core of the server.
    pub(super) each: u64,
}

/// What the server does with a request once it has all of it, in microseconds.
const SERVER: Time = 3_000;
/// Bytes × microseconds: what is left of a request, so that no byte is lost to rounding.
const UNIT: u64 = 1_000_000;

#[derive(Debug)]
struct Flow {
    starts: Time,
    bytes: u64,
    left: u64,
}

#[derive(Debug)]
pub(super) struct Network {
    line: Line,
    pub(super) now: Time,
    flows: BTreeMap<u64, Flow>,
    /// Answers that are on their way, by when they arrive.
    answers: BTreeMap<(Time, u64), ()>,
}

impl Network {
    pub(super) fn new(line: Line) -> Self {
        Self {
            line,
            now: 0,
            flows: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    fn way(&self) -> Time {
        self.line.rtt_ms * 1000 / 2
    }

    pub(super) fn send(&mut self, request: u64, bytes: u64) {
        let flow = Flow {
            starts: self.now + self.way(),
            bytes,
            left: bytes * UNIT,
        };
        self.flows.insert(request, flow);
    }

    pub(super) fn abort(&mut self, request: u64) {
        self.flows.remove(&request);
        self.answers.retain(|&(_, other), ()| other != request);
    }

    /// How many bytes of each request have arrived.
    pub(super) fn arrived(&self) -> Vec<(u64, u64)> {
        let flows = self.flows.iter();
        flows
            .map(|(&request, flow)| (request, flow.bytes - flow.left.div_ceil(UNIT)))
            .collect()
    }

    fn share(&self) -> u64 {
        let many = self.flows.values().filter(|f| f.starts <= self.now).count() as u64;
        (self.line.rate / many.max(1)).min(self.line.each).max(1)
    }

    /// When something changes here.
    fn next(&self) -> Option<Time> {
        let share = self.share();
        let flows = self.flows.values().map(|flow| {
            if flow.starts > self.now {
                flow.starts
            } else {
                self.now + flow.left.div_ceil(share)
            }
        });
        let answers = self.answers.keys().map(|&(at, _)| at);
        flows.chain(answers).min()
    }

    /// Lets time pass until the next answer, but not beyond `end`.
    pub(super) fn pass(&mut self, end: Time) -> Option<u64> {
        loop {
            if let Some((&(at, request), ())) = self.answers.first_key_value()
                && at <= self.now
            {
                self.answers.pop_first();
                return Some(request);
            }
            if self.now >= end {
                return None;
            }
            let until = self.next().unwrap_or(end).min(end);
            let (share, passed) = (self.share(), until - self.now);
            let (from, way) = (self.now, self.way());
            self.now = until;
            let answers = &mut self.answers;
            self.flows.retain(|&request, flow| {
                if flow.starts <= from {
                    flow.left = flow.left.saturating_sub(share * passed);
                }
                if flow.left == 0 && flow.starts <= from {
                    answers.insert((until + SERVER + way, request), ());
                }
                flow.left > 0 || flow.starts > from
            });
        }
    }
}
