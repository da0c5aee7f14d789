//! The crash lab: the program under load, killed, or cut off from its disk, again and again.
//!
//! Short here; `make lab` runs the same with larger numbers and the release.

mod cut;
mod load;
mod memory;

use self::load::Load;
use crate::program::{Program, until};

/// A number of the lab, or that of the short form.
fn rounds(name: &str, short: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(short, |set| set.parse().unwrap())
}

#[test]
fn killed_again_and_again_it_loses_nothing_that_it_has_acknowledged() {
    let rounds = rounds("HOIST_LAB_KILLS", 50);
    let data = tempfile::tempdir().unwrap();
    let files = data.path().join("files");
    let load = Load::new(1);
    let (mut chunks, mut finished) = (0, 0);
    for round in 0..rounds {
        let mut program = Program::start(data.path(), &["--durability", "process"]);
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
        let program = Program::start(data.path(), &["--durability", "process"]);
        (chunks, finished) = load.compare(&program.addr, &files, &load.known());
    }
    let program = Program::start(data.path(), &[]);
    load.catch_up(&program.addr);
    load.finish(&program.addr, u32::try_from(rounds).unwrap());
    let (_, all) = load.compare(&program.addr, &files, &load.known());
    assert!(all as u64 >= rounds, "{all}");
    println!(
        "process: {rounds} kills, {chunks} chunks and {finished} files compared each time at the end, {all} files whole"
    );
}
