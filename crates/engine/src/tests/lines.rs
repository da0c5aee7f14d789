//! The self-tuning on many lines, held against what fixed settings reach on the same line.

use super::{
    bench::{Bench, Fate, config},
    network::{Line, Network, Time},
};
use crate::{Action, Event, Picked, RequestId};
use hoist_protocol::{FileState, Limits};

const MIB: u64 = 1 << 20;
/// What a disk reads and a core hashes, bytes per second.
const READ: u64 = 400_000_000;
/// What a page tells of the bytes that are sent, and how often.
const PROGRESS: Time = 500_000;
/// A transfer that takes a patient person's while, but no less than a few chunks.
const SECONDS: u64 = 30;
const LEAST: u64 = 12 * MIB;

/// Megabits as bytes per second.
const fn mbit(tenths: u64) -> u64 {
    tenths * 12_500
}

fn size(line: Line) -> u64 {
    // What four connections can carry at all.
    (line.rate.min(line.each * 4) * SECONDS).max(LEAST)
}

/// How long the engine takes for one file, if each connection takes `buffer` bytes at once; `said` hears after
/// each event how fast the engine says that it is, and when.
fn tuned(line: Line, buffer: u64, mut said: impl FnMut(u64, Time)) -> Time {
    let mut bench = Bench::new(config());
    bench.server.chunk_size = MIB;
    let start = bench.now.0;
    let mut network = Network::new(line);
    let file = Picked {
        name: "film".to_owned(),
        path: String::new(),
        size: size(line),
        last_modified: Some(1),
        media_type: None,
        is_directory: false,
    };
    let key = bench.add(file, 1);
    let (mut known, mut read_at, mut told_at) = (0, 0, 0);
    while !matches!(
        bench.engine.snapshot().row(key).unwrap().state,
        FileState::Done(_)
    ) {
        for action in bench.log.split_off(0) {
            match action {
                Action::SendPack { request, parts, .. } => {
                    network.send(request.0, parts.iter().map(|(_, range)| range.len()).sum());
                }
                Action::Abort { request } => network.abort(request.0),
                _ => {}
            }
        }
        // Small calls go beside the bytes.
        let calls: Vec<u64> = bench
            .pending
            .keys()
            .copied()
            .filter(|&r| r >= known)
            .collect();
        for request in calls {
            known = known.max(request + 1);
            if !matches!(bench.pending.get(&request), Some(Action::SendPack { .. })) {
                network.send(request, 1);
            }
        }
        if bench.reads.is_empty() {
            read_at = network.now;
        }
        let read = bench.reads.front().map(|read| match read {
            Action::Hash { index, layout, .. } => {
                read_at + layout.range(*index).unwrap().len() * 1_000_000 / READ
            }
            _ => network.now,
        });
        let deadline = bench.engine.deadline().map(|at| (at.0 - start) * 1000);
        let end = [read, deadline, Some(told_at + PROGRESS)];
        let answer = network.pass(end.into_iter().flatten().min().unwrap());
        bench.now.0 = start + network.now / 1000;
        if let Some(request) = answer {
            bench.end(request, Fate::Answered);
        } else if read.is_some_and(|at| at <= network.now) {
            read_at = network.now;
            let read = bench.reads.pop_front().unwrap();
            let event = bench.read(&read);
            bench.handle(event);
        } else if network.now >= told_at + PROGRESS {
            told_at = network.now;
            for (request, sent) in network.arrived() {
                bench.handle(Event::PackProgress {
                    request: RequestId(request),
                    // The engine minds that a pack has no more bytes.
                    sent: sent + buffer,
                });
            }
        } else {
            bench.handle(Event::Tick);
        }
        if let Some(rate) = bench.engine.snapshot().rate_bytes_per_s {
            said(rate, network.now);
        }
    }
    network.now
}

/// How long it takes in packs of a fixed size, so many at once, and a first call like the engine's.
fn fixed(line: Line, at_once: u64, pack: u64) -> Time {
    let mut network = Network::new(line);
    network.send(0, 1);
    let (mut left, mut running, mut next) = (size(line), 1, 1);
    while let Some(request) = network.pass(Time::MAX) {
        running -= 1;
        let _ = request;
        while left > 0 && running < at_once {
            let bytes = left.min(pack);
            network.send(next, bytes);
            (left, running, next) = (left - bytes, running + 1, next + 1);
        }
        if running == 0 {
            break;
        }
    }
    network.now
}

/// The least that any fixed setting takes which the engine could choose, too.
fn best(line: Line) -> (Time, u64, u64) {
    let (config, limits) = (config(), Limits::default());
    let sizes = [1, 2, 4, 8, 12, 16, 31].map(|mib| mib * MIB);
    (1..=u64::from(config.max_concurrent))
        .flat_map(|at_once| sizes.map(|pack| (at_once, pack)))
        // What is read ahead has its bound for both, and one pack more than are under way must fit.
        .filter(|&(at_once, pack)| (at_once + 1) * pack <= config.read_ahead)
        .filter(|&(_, pack)| pack < limits.pack_size)
        .map(|(at_once, pack)| (fixed(line, at_once, pack), at_once, pack / MIB))
        .min()
        .unwrap()
}

/// Rates in tenths of megabits, and round trips.
const RATES: [u64; 9] = [3, 10, 30, 100, 200, 500, 1_000, 3_000, 10_000];
const ROUND_TRIPS_MS: [u64; 6] = [5, 20, 50, 100, 200, 400];

/// When a figure is there at the latest, unless the transfer is over: one second for buffers, two for a mean, and the first
/// calls.
const SAID_BY: Time = 5_500_000;

#[test]
fn the_rate_that_is_said_is_true_from_the_first_figure_on() {
    let mut bad = Vec::new();
    for (tenths, rtt_ms) in RATES
        .into_iter()
        .flat_map(|tenths| ROUND_TRIPS_MS.map(|rtt_ms| (tenths, rtt_ms)))
    {
        let rate = mbit(tenths);
        // A kernel's buffer begins at 16 KiB, and grows with the line.
        let buffer = (rate / 2).min(64 << 10);
        for (each, buffer) in [(rate, 0), (rate / 4, 0), (rate, buffer), (rate / 4, buffer)] {
            let line = Line { rate, rtt_ms, each };
            let (mut least, mut most, mut first) = (u64::MAX, 0, Time::MAX);
            let time = tuned(line, buffer, |said, now| {
                (least, most, first) = (least.min(said), most.max(said), first.min(now));
            });
            let true_rate = size(line) * 1_000_000 / time;
            let percent = [least, most].map(|said| said.saturating_mul(100) / true_rate);
            println!("{line:?}, buffers of {buffer}: {percent:?} %");
            let is_silent = first > time.min(SAID_BY);
            if is_silent || percent[0] < 80 || percent[1] > 125 {
                bad.push(format!("{line:?}, buffers of {buffer}: {percent:?} %"));
            }
        }
    }
    assert!(bad.is_empty(), "{} lines:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn on_every_line_the_engine_is_at_most_a_tenth_slower_than_the_best_fixed_setting() {
    let mut bad = Vec::new();
    for tenths in RATES {
        for rtt_ms in ROUND_TRIPS_MS {
            let rate = mbit(tenths);
            // One connection takes all, half, a quarter, or what a window of 1 MiB lets through.
            let window = MIB * 1000 / rtt_ms;
            for each in [rate, rate / 2, rate / 4, window] {
                let line = Line {
                    rate,
                    rtt_ms,
                    each: each.min(rate),
                };
                let (best, at_once, pack) = best(line);
                let tuned = tuned(line, 0, |_, _| {});
                let share = best * 1000 / tuned;
                println!("{line:?}: {share} ‰ of {at_once} × {pack} MiB, {best} µs");
                if share < 900 {
                    bad.push(format!("{line:?}: {share} ‰ of {at_once} × {pack} MiB"));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{} lines:\n{}", bad.len(), bad.join("\n"));
}
