//! The crash lab: the program under load, killed, or cut off from its disk, again and again.
//!
//! Short here; `make lab` runs the same with larger numbers and the release.

mod cut;
mod full;
mod huge;
mod load;
mod many;
mod memory;
mod says;
mod slow;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use self::load::Load;
use crate::{
    program::{Program, until},
    webhook::{Receiver, SECRET, is_signed},
};

/// A number of the lab, or that of the short form.
fn rounds(name: &str, short: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(short, |set| set.parse().unwrap())
}

/// Waits until each of these files was told of, each as one event; how often it was told in all.
fn told_of(receiver: &Receiver, finished: &BTreeSet<String>) -> usize {
    let mut seen = 0;
    let mut events = BTreeMap::new();
    until("every finished file was told of", || {
        let all = receiver.deliveries();
        for one in &all[seen..] {
            let message = one.json();
            assert_eq!(message["type"], "file.finished");
            let upload = message["data"]["receipt"]["id"]
                .as_str()
                .unwrap()
                .to_owned();
            let id = one.header("webhook-id").to_owned();
            assert_eq!(*events.entry(upload).or_insert_with(|| id.clone()), id);
        }
        seen = all.len();
        finished.iter().all(|id| events.contains_key(id))
    });
    seen
}

/// Rounds with one data folder. After each all of it is compared, so a thousand in one would be a
/// million comparisons.
const ROUNDS: u64 = 50;

#[test]
fn killed_again_and_again_it_loses_nothing_that_it_has_acknowledged() {
    let rounds = rounds("HOIST_LAB_KILLS", ROUNDS);
    let mut sum = [0; 4];
    for first in (0..rounds).step_by(usize::try_from(ROUNDS).unwrap()) {
        let counts = killed(first + 1, ROUNDS.min(rounds - first));
        sum = std::array::from_fn(|at| sum[at] + counts[at]);
    }
    let [chunks, finished, all, told] = sum;
    println!(
        "process: {rounds} kills, everything compared after each; at the end of each {ROUNDS} {chunks} chunks and \
         {finished} files in all, {all} files whole, each told of, {told} deliveries"
    );
}

/// Chunks and files of the last comparison, files at the end, deliveries.
fn killed(seed: u64, rounds: u64) -> [usize; 4] {
    let data = tempfile::tempdir().unwrap();
    let files = data.path().join("files");
    let load = Load::new(seed);
    let (mut chunks, mut finished) = (0, 0);
    // Who is told of each file; not always at the first try.
    let unsigned = Arc::new(AtomicU64::new(0));
    let bad = Arc::clone(&unsigned);
    let receiver = Receiver::start(move |n, one| {
        // At once: a signature is good for some minutes.
        bad.fetch_add(u64::from(!is_signed(one, SECRET)), Ordering::SeqCst);
        if n % 7 == 3 { "503 Later" } else { "200 OK" }.into()
    });
    let url = format!("http://{}/", receiver.addr);
    let flags = [
        "--durability",
        "process",
        "--webhook-private",
        "--webhook",
        &url,
        "--webhook-secret",
        SECRET,
    ];
    for round in 0..rounds {
        let mut program = Program::start(data.path(), &flags);
        let attempt = u32::try_from(round).unwrap();
        load.catch_up(&program.addr);
        // Somewhere between the first answers and some hundred: by what has happened, not by a clock.
        let goal = load.acknowledged() + 1 + round * 37 % 211;
        let addr = program.addr.clone();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| load.run(&addr, attempt));
            until("enough is acknowledged", || {
                load.acknowledged() >= goal || running.is_finished()
            });
            program.signal("KILL");
        });
        let program = Program::start(data.path(), &flags);
        (chunks, finished) = load.compare(&program.addr, &files, &load.known());
    }
    let program = Program::start(data.path(), &flags);
    load.catch_up(&program.addr);
    load.finish(&program.addr, u32::try_from(rounds).unwrap());
    let (_, all) = load.compare(&program.addr, &files, &load.known());
    assert!(all as u64 >= rounds, "{all}");
    let told = told_of(&receiver, &load.finished());
    assert_eq!(unsigned.load(Ordering::SeqCst), 0);
    [chunks, finished, all, told]
}
