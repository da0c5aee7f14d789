//! The machine dies: at every step, and at random ones, with what was not synced lost, torn and out
//! of order.
//!
//! One round is a store on a disk that forgets, some work, the death, the next start on what is
//! left, a look at everything that was acknowledged, and the rest of the work. The catalog keeps each
//! change that it has said to be done; that SQLite does is what the lab with real files shows.

mod shared;
mod sim;
mod work;

use std::{collections::BTreeMap, sync::Arc};

use hoist_protocol::UploadStatus;

use self::{
    sim::{SimDisk, random},
    work::{Promised, Source, look, send, sources, start, work},
};
use super::support::{Bench, CHUNK, NOW, bytes, config, file};
use crate::{
    Durability, StoreConfig, StoreError,
    catalog::{Catalog, MemoryCatalog},
    planted::Planted,
};

/// What happens in one round.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The machine dies after so many steps …
    left: u64,
    /// … an operation fails before that …
    fails: Option<u64>,
    /// … and it dies again so many steps after it is up.
    again: Option<u64>,
    seed: u64,
}

/// What has come of it.
#[derive(Default)]
struct Ended {
    has_died: bool,
    has_died_again: bool,
    has_failed: bool,
}

async fn round(round: Round, config: &StoreConfig) -> (Ended, Result<(), String>) {
    let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::default());
    let disk = SimDisk::new(round.left, round.seed);
    let sources = sources();
    let mut promised: Vec<_> = sources.iter().map(|_| Promised::default()).collect();
    let mut ended = Ended::default();
    if let Some(step) = round.fails {
        disk.fail_at(step);
    }
    for _ in 0..3 {
        // A start may be what fails.
        let Ok(bench) = start(&disk, &catalog, config, "first boot").await else {
            continue;
        };
        // Whoever is told that something failed does it again.
        for _ in 0..3 {
            if work(&bench, &sources, &mut promised).await {
                break;
            }
        }
        break;
    }
    ended.has_died = disk.is_dead();
    ended.has_failed = disk.has_failed();
    let honest = StoreConfig {
        planted: None,
        ..config.clone()
    };
    let mut disk = disk.after_death(round.again.unwrap_or(u64::MAX));
    let mut boot = "second boot";
    if round.again.is_some() {
        if let Ok(bench) = start(&disk, &catalog, &honest, boot).await {
            recover(&bench, &sources, &mut promised, round.seed).await;
        }
        ended.has_died_again = disk.is_dead();
        disk = disk.after_death(u64::MAX);
        boot = "third boot";
    }
    let found = after(&disk, &catalog, &sources, &promised, &honest, boot).await;
    (ended, found)
}

/// What is done first when the machine is up again: everything is asked for, the sweeper comes, and what
/// is missing is sent. Nobody minds what fails, for it dies; what it promises counts.
async fn recover(bench: &Bench, sources: &[Source], promised: &mut [Promised], seed: u64) {
    let sweep = bench.store.sweep(NOW);
    if seed.is_multiple_of(2) {
        let _ = sweep.await;
    }
    for (source, promised) in sources.iter().zip(&*promised) {
        let _ = look(bench, source, promised).await;
    }
    let _ = bench.store.sweep(NOW).await;
    for (source, promised) in sources.iter().zip(promised) {
        if !promised.is_deleted && promised.renamed.is_none() {
            let _ = send(bench, source, promised).await;
        }
    }
}

/// The last start, on what is left.
async fn after(
    disk: &SimDisk,
    catalog: &Arc<dyn Catalog>,
    sources: &[Source],
    promised: &[Promised],
    config: &StoreConfig,
    boot: &str,
) -> Result<(), String> {
    let words = |error: StoreError| error.to_string();
    let bench = start(disk, catalog, config, boot).await.map_err(words)?;
    for (source, promised) in sources.iter().zip(promised) {
        if config.durability == Durability::Power {
            look(&bench, source, promised).await?;
        }
    }
    // Nothing that is not whole lies among the files, whoever has promised what.
    for (place, bytes) in disk.files("files/") {
        // Where nothing was promised, torn bytes may lie in the place of a file that came again.
        let place = match config.durability {
            Durability::Power => place,
            Durability::Process => place.replace(" (2)", "").replace(" (3)", ""),
        };
        let is_it = |source: &&Source| {
            source.name == place || place == "new.txt" && source.name == "old.txt"
        };
        let source = sources
            .iter()
            .find(is_it)
            .ok_or_else(|| format!("{place} is nobody's"))?;
        if config.durability == Durability::Power && bytes != source.bytes {
            return Err(format!("{place} is there and has other bytes"));
        }
    }
    // And the rest of the work is done as if nothing had been.
    let mut again: Vec<_> = sources.iter().map(|_| Promised::default()).collect();
    for ((source, again), before) in sources.iter().zip(&mut again).zip(promised) {
        if before.is_deleted || before.renamed.is_some() {
            continue;
        }
        send(&bench, source, again)
            .await
            .map_err(|error| format!("{}: {error}", source.name))?;
        if config.durability == Durability::Power {
            look(&bench, source, again).await?;
        }
    }
    bench.store.sweep(NOW).await.map_err(words)?;
    let left: BTreeMap<_, _> = disk.files("incoming/");
    if !left.is_empty() {
        return Err(format!("bytes of nobody: {:?}", left.keys()));
    }
    bench.store.close().await.map_err(words)
}

/// What a lab has seen.
#[derive(Default)]
struct Seen {
    failures: Vec<String>,
    /// How often the machine died, how often when it was just up again, and after a failed operation.
    died: u64,
    died_again: u64,
    failed: u64,
}

impl Seen {
    async fn round(&mut self, one: Round, config: &StoreConfig) -> Ended {
        let (ended, found) = round(one, config).await;
        self.died += u64::from(ended.has_died);
        self.died_again += u64::from(ended.has_died_again);
        self.failed += u64::from(ended.has_failed);
        if let Err(why) = found {
            self.failures.push(format!("{one:?}: {why}"));
        }
        ended
    }
}

/// Cuts at every step, with some seeds each, then at every step of the recovery from some of these, and
/// then at random ones, many of them twice or after something has failed.
async fn lab(seeds: u64, more: u64, config: &StoreConfig) -> Seen {
    let (mut seen, mut steps) = (Seen::default(), 0);
    let plain = |left, seed| Round {
        left,
        fails: None,
        again: None,
        seed,
    };
    loop {
        let mut has_died = false;
        for seed in 0..seeds {
            let one = plain(steps, seed * 7919 + steps + 1);
            has_died |= seen.round(one, config).await.has_died;
        }
        if !has_died {
            break;
        }
        steps += 1;
    }
    if more == 0 {
        return seen;
    }
    for of_six in 1..6 {
        let mut again = 0;
        let left = steps * of_six / 6;
        let twice = |again| Round {
            again: Some(again),
            ..plain(left, of_six * 7919 + again)
        };
        while seen.round(twice(again), config).await.has_died_again {
            again += 1;
        }
    }
    let mut seed = 0x9E37_79B9_7F4A_7C15;
    for n in 0..more {
        let mut one = plain(random(&mut seed) % steps, random(&mut seed));
        if n % 3 > 0 {
            one.again = Some(random(&mut seed) % (steps / 2));
        }
        if n % 3 > 1 {
            one.fails = Some(1 + random(&mut seed) % steps);
            // What was done again needs steps, too.
            one.left += random(&mut seed) % steps;
        }
        seen.round(one, config).await;
    }
    seen
}

fn with(durability: Durability, planted: Option<Planted>) -> StoreConfig {
    StoreConfig {
        durability,
        planted,
        ..config()
    }
}

/// How many random cuts: more in the lab.
fn cuts() -> u64 {
    let set = std::env::var("HOIST_LAB_CUTS").ok();
    set.and_then(|set| set.parse().ok()).unwrap_or(200)
}

#[tokio::test]
async fn whatever_step_is_the_last_of_the_machine_nothing_acknowledged_is_lost() {
    let seen = lab(2, cuts(), &with(Durability::Power, None)).await;
    assert_eq!(seen.failures, Vec::<String>::new());
    assert!(seen.died > 300, "{}", seen.died);
    assert!(seen.died_again > 100, "{}", seen.died_again);
    assert!(seen.failed > cuts() / 10, "{}", seen.failed);
    println!(
        "power, simulated disk: {} cuts, {} of a machine that was just up again, {} after a failed operation; nothing lost",
        seen.died, seen.died_again, seen.failed
    );
}

#[tokio::test]
async fn what_was_never_promised_is_asked_for_again_and_arrives() {
    let seen = lab(1, cuts() / 2, &with(Durability::Process, None)).await;
    assert_eq!(seen.failures, Vec::<String>::new());
}

#[tokio::test]
async fn the_lab_sees_what_is_acknowledged_before_it_is_synced() {
    let failures = lab(
        1,
        0,
        &with(Durability::Power, Some(Planted::AcknowledgeBeforeSync)),
    )
    .await
    .failures;
    assert!(
        failures.iter().any(|why| why.contains("lost")),
        "{failures:?}"
    );
}

#[tokio::test]
async fn the_lab_sees_a_file_that_is_named_before_its_bytes_are_synced() {
    let failures = lab(
        // A file that is sent alone meets it in less than one of a hundred cuts.
        10,
        0,
        &with(Durability::Power, Some(Planted::RenameBeforeSync)),
    )
    .await
    .failures;
    // Sent alone or in a group: both ways have their own order.
    for way in [["b.txt", "old.txt"], ["gone.txt", "film/small"]] {
        let sees =
            |why: &String| why.contains("other bytes") && way.iter().any(|name| why.contains(name));
        assert!(failures.iter().any(sees), "{way:?}: {failures:?}");
    }
    // And it is this fault: nothing that was acknowledged alone is missing.
    assert!(
        failures.iter().all(|why| !why.contains("lost")),
        "{failures:?}"
    );
}

#[tokio::test]
async fn what_the_next_process_says_to_be_there_survives_the_machine_too() {
    let config = with(Durability::Power, None);
    let mut refused = 0;
    // A chunk of two, and a whole file.
    for size in [2 * CHUNK, CHUNK] {
        let all = bytes(size, 3);
        for (step, seed) in (1..40).flat_map(|step| (1..4).map(move |seed| (step, seed))) {
            let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::default());
            let disk = SimDisk::new(u64::MAX, seed);
            let bench = start(&disk, &catalog, &config, "first boot").await.unwrap();
            let id = bench.needed(file("a", size)).await.id;
            disk.fail_in(step);
            refused += u64::from(bench.send(id, &all, 0).await.is_err());
            disk.fail_at(0);
            // The process ends, and not well; its machine goes on. What was recorded and not synced, or
            // could not be synced, nobody sends again if the next one says that it is there.
            drop(bench);
            let bench = start(&disk, &catalog, &config, "first boot").await.unwrap();
            let said = bench.status(id).await;
            drop(bench);
            let disk = disk.after_death(u64::MAX);
            let bench = start(&disk, &catalog, &config, "second boot")
                .await
                .unwrap();
            assert_eq!(bench.status(id).await, said, "step {step}, seed {seed}");
            if let UploadStatus::Finished { .. } = said {
                assert!(bench.content(id).await == all, "step {step}, seed {seed}");
            }
        }
    }
    assert!(refused >= 40, "{refused}");
}
