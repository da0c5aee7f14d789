//! Files that a pack carries whole, for a driver to which pieces are dear.

use super::bench::{Bench, Fate, config};
use crate::{Action, EngineConfig, Failure, Picked};

const MIB: u64 = 1 << 20;

fn bench(whole_files: bool, sizes: &[u64]) -> Bench {
    let mut bench = Bench::new(EngineConfig {
        whole_files,
        ..config()
    });
    bench.server.chunk_size = MIB;
    for (n, &size) in (0..).zip(sizes) {
        let file = Picked {
            name: format!("f{n}"),
            size,
            ..Picked::default()
        };
        bench.add(file, n);
    }
    bench
}

/// The files of each pack that was sent, with how many of their chunks it carried.
fn packs(bench: &Bench) -> Vec<Vec<(u32, usize)>> {
    let files = |action: &Action| {
        let Action::SendPack { parts, .. } = action else {
            return None;
        };
        let runs = parts.chunk_by(|(one, _), (next, _)| one == next);
        Some(runs.map(|run| (run[0].0.0, run.len())).collect())
    };
    bench.log.iter().filter_map(files).collect()
}

#[test]
fn a_file_that_fits_travels_in_one_pack_when_all_of_it_is_hashed() {
    let sizes = [5 * MIB, 7 * MIB + 1, 3 * MIB];
    let mut pieces = bench(false, &sizes);
    pieces.run();
    let is_cut = packs(&pieces).concat().iter().any(|&(file, _)| {
        packs(&pieces)
            .iter()
            .flatten()
            .filter(|(other, _)| *other == file)
            .count()
            > 1
    });
    assert!(is_cut, "without it, files are cut: {:?}", packs(&pieces));

    let mut whole = bench(true, &sizes);
    whole.run();
    let mut carried = packs(&whole).concat();
    carried.sort_unstable();
    assert_eq!(carried, [(0, 5), (1, 8), (2, 3)], "{:?}", packs(&whole));
    assert_eq!(whole.server.received_bytes, sizes.iter().sum::<u64>());
    assert_eq!(whole.engine.snapshot().totals.finished, 3);
}

#[test]
fn a_file_larger_than_a_pack_travels_in_pieces_and_small_ones_share_packs() {
    let mut bench = bench(true, &[40 * MIB, 10_000, 20_000]);
    bench.run();
    let of_the_large: Vec<usize> = packs(&bench)
        .concat()
        .iter()
        .filter(|(file, _)| *file == 0)
        .map(|&(_, chunks)| chunks)
        .collect();
    assert!(of_the_large.len() > 1);
    assert_eq!(of_the_large.iter().sum::<usize>(), 40);
    assert_eq!(bench.engine.snapshot().totals.finished, 3);
}

/// Answers the create and lets the first `chunks` chunks be read.
fn read_some(bench: &mut Bench, chunks: usize) {
    bench.wait(20);
    bench.end(0, Fate::Answered);
    for _ in 0..chunks {
        let read = bench.reads.pop_front().unwrap();
        let hashed = bench.read(&read);
        bench.handle(hashed);
    }
}

#[test]
fn a_slow_disk_does_not_hold_up_what_is_hashed() {
    let mut bench = bench(true, &[5 * MIB]);
    read_some(&mut bench, 2);
    assert_eq!(packs(&bench), [[]; 0], "it waits for the rest of the file");
    let deadline = bench.engine.deadline().unwrap();
    let waits = deadline.since(bench.now);
    assert!(waits <= 250, "{waits}");
    bench.wait(waits);
    assert!(!packs(&bench).is_empty());
    bench.run();
    assert_eq!(bench.server.received_bytes, 5 * MIB);
}

#[test]
fn what_a_whole_file_lost_on_the_way_comes_in_pieces() {
    let mut bench = bench(true, &[5 * MIB]);
    read_some(&mut bench, 5);
    assert_eq!(packs(&bench), [[(0, 5)]]);
    bench.end(1, Fate::CutAfter(3));
    bench.run();
    let again: usize = packs(&bench)[1..]
        .concat()
        .iter()
        .map(|&(_, chunks)| chunks)
        .sum();
    assert_eq!(
        again,
        2,
        "what arrived is not sent again: {:?}",
        packs(&bench)
    );
    assert_eq!(bench.engine.snapshot().totals.finished, 1);
}

#[test]
fn a_file_that_travels_whole_makes_no_pack_larger_than_a_proxy_lets_pass() {
    const LIMIT: u64 = 3 * MIB;
    let sizes: Vec<u64> = (0..60)
        .map(|n| if n % 3 == 0 { MIB + 700_000 } else { 450_000 })
        .collect();
    let mut bench = bench(true, &sizes);
    let (mut ceiling, mut seen, mut refusals) = (u64::MAX, 0, 0);
    bench.wait(20);
    for _ in 0..2000 {
        bench.read_all();
        for action in &bench.log[seen..] {
            if let Action::SendPack { parts, .. } = action {
                let bytes: u64 = parts.iter().map(|(_, range)| range.len()).sum();
                assert!(
                    bytes <= ceiling || parts.len() == 1,
                    "{bytes} after {ceiling}"
                );
            }
        }
        seen = bench.log.len();
        let first = bench
            .pending
            .iter()
            .next()
            .map(|(&id, action)| (id, action.clone()));
        let Some((request, action)) = first else {
            if bench.engine.snapshot().totals.unsettled == 0 {
                break;
            }
            bench.wait(250);
            continue;
        };
        let fate = match action {
            Action::SendPack { parts, .. } => {
                let bytes: u64 = parts.iter().map(|(_, range)| range.len()).sum();
                if bytes > LIMIT {
                    (ceiling, refusals) = (ceiling.min(bytes / 2), refusals + 1);
                    Fate::Failed(Failure::Foreign {
                        status: 413,
                        retry_after_ms: None,
                    })
                } else {
                    Fate::Answered
                }
            }
            _ => Fate::Answered,
        };
        bench.end(request, fate);
    }
    assert!(refusals > 0, "the proxy has refused something");
    assert_eq!(bench.engine.snapshot().totals.finished, 60);
}
