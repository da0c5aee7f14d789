//! The machine dies: at every step, and at random ones, with what was not synced lost, torn and out
//! of order.
//!
//! One round is a store on a disk that forgets, some work, the death, the next start on what is
//! left, a look at everything that was acknowledged, and the rest of the work. The catalog keeps each
//! change that it has said to be done; that SQLite does is what the lab with real files shows.

mod sim;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::join_all;
use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, UploadId, UploadStatus};

use self::sim::{SimDisk, random};
use super::{
    dying::DyingCatalog,
    support::{Bench, CHUNK, NOW, bytes, chunk, config, file, hash, sender},
};
use crate::{
    Durability, Owner, Party, Store, StoreConfig, StoreError,
    catalog::{Catalog, MemoryCatalog},
    planted::Planted,
};

/// Bytes of one part of a file that is not sent in chunks.
const PART: u64 = 2000;

/// One file of the work: how it is sent, and its bytes.
struct Source {
    name: &'static str,
    bytes: Vec<u8>,
    sent: Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Chunks,
    Ranges,
    /// In one group with others.
    Together,
}

/// What the server has promised of one file before it died.
#[derive(Default)]
struct Promised {
    id: Option<UploadId>,
    ranges: Vec<ByteRange>,
    is_finished: bool,
    is_deleted: bool,
    renamed: Option<&'static str>,
}

fn sources() -> Vec<Source> {
    let source = |name, size, sent| Source {
        name,
        bytes: bytes(size, size),
        sent,
    };
    vec![
        source("film/a.bin", 2 * CHUNK + 100, Sent::Chunks),
        source("b.txt", 900, Sent::Chunks),
        source("film/c.txt", 5, Sent::Chunks),
        source("empty", 0, Sent::Chunks),
        source("form.bin", 2 * PART + 700, Sent::Ranges),
        source("old.txt", 1200, Sent::Chunks),
        source("gone.txt", 1300, Sent::Together),
        source("film/small", 1400, Sent::Together),
        source("photos/d.jpg", 30, Sent::Together),
    ]
}

/// One start of the server on a disk and a catalog.
async fn start(
    disk: &SimDisk,
    catalog: &Arc<dyn Catalog>,
    config: &StoreConfig,
    boot: &str,
) -> Result<Bench, StoreError> {
    let catalog = DyingCatalog(Arc::clone(catalog), Arc::new(disk.clone()));
    let (disk, config) = (Arc::new(disk.clone()), config.clone());
    let store = Store::open_on(Box::new(catalog), disk, None, config, boot.into(), NOW).await?;
    Ok(Bench {
        store,
        party: Party::known(Owner::shared()),
        folder: None,
    })
}

/// Sends what is missing of one file; what is acknowledged is noted as promised at once.
async fn send(bench: &Bench, source: &Source, promised: &mut Promised) -> Result<(), StoreError> {
    let new = file(source.name, source.bytes.len() as u64);
    let answer = bench.store.create(NOW, &bench.party, &[new]).await?.pop();
    let needed = match answer {
        Some(CreateAnswer::Present { receipt }) => {
            promised.id = Some(receipt.id);
            promised.is_finished = true;
            return Ok(());
        }
        Some(CreateAnswer::Needed(needed)) => needed,
        _ => return Err(StoreError::Unavailable),
    };
    promised.id = Some(needed.id);
    let all = &source.bytes;
    let has = |start: u64| {
        needed
            .received
            .iter()
            .any(|r| (r.start..r.end).contains(&start))
    };
    if source.sent == Sent::Ranges {
        for start in (0..all.len() as u64)
            .step_by(PART as usize)
            .filter(|start| !has(*start))
        {
            let part = ByteRange::new(start, (start + PART).min(all.len() as u64));
            let mut writer = bench
                .store
                .write_part(NOW, &bench.party, needed.id, part)
                .await?;
            let piece = &all[part.start as usize..part.end as usize];
            writer.write(NOW, Bytes::copy_from_slice(piece)).await?;
            let answer = writer.finish(NOW).await?;
            promised.is_finished |= answer.receipt.is_some();
            promised.ranges.push(part);
        }
        return Ok(());
    }
    let count = (all.len() as u64).div_ceil(needed.chunk_size) as u32;
    let missing = (0..count).filter(|index| !has(u64::from(*index) * CHUNK));
    let sent = join_all(
        missing.map(|index| async move { (index, bench.send(needed.id, all, index).await) }),
    );
    let mut failed = None;
    for (index, sent) in sent.await {
        match sent {
            Ok(answer) => {
                let start = u64::from(index) * CHUNK;
                let end = (start + CHUNK).min(all.len() as u64);
                promised.ranges.push(ByteRange::new(start, end));
                promised.is_finished |= answer.receipt.is_some();
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Sends small files in one group; all of them fail if one does.
async fn send_together(
    bench: &Bench,
    sources: Vec<(&Source, &mut Promised)>,
) -> Result<(), StoreError> {
    let news: Vec<_> = sources
        .iter()
        .map(|(source, _)| file(source.name, source.bytes.len() as u64))
        .collect();
    let answers = bench.store.create(NOW, &bench.party, &news).await?;
    let (mut chunks, mut of) = (Vec::new(), Vec::new());
    for (answer, (source, promised)) in answers.into_iter().zip(sources) {
        let needed = match answer {
            CreateAnswer::Needed(needed) => needed,
            CreateAnswer::Present { receipt } => {
                promised.id = Some(receipt.id);
                promised.is_finished = true;
                continue;
            }
            _ => return Err(StoreError::Unavailable),
        };
        promised.id = Some(needed.id);
        let (chunk, bytes) = chunk(needed.id, &source.bytes, 0);
        chunks.push((chunk, Bytes::copy_from_slice(bytes)));
        of.push(promised);
    }
    let (store, party, page) = (&bench.store, &bench.party, sender("page"));
    let sent = store.write_small(NOW, party, &page, 0, chunks);
    let mut failed = None;
    for (sent, promised) in sent.await.into_iter().zip(of) {
        match sent {
            Ok(answer) => promised.is_finished |= answer.receipt.is_some(),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// All the work, until it is done or something fails; whether it is done.
async fn work(bench: &Bench, sources: &[Source], promised: &mut [Promised]) -> bool {
    let all = sources.iter().zip(&mut *promised);
    let all = all.filter(|(_, promised)| !promised.is_deleted && promised.renamed.is_none());
    let (together, each): (Vec<_>, Vec<_>) = all.partition(|(one, _)| one.sent == Sent::Together);
    let each = each
        .into_iter()
        .map(|(source, promised)| send(bench, source, promised));
    let (together, each) = tokio::join!(send_together(bench, together), join_all(each));
    if together.is_err() || each.iter().any(Result::is_err) {
        return false;
    }
    let (store, party) = (&bench.store, &bench.party);
    for (source, promised) in sources.iter().zip(promised) {
        let Some(id) = promised.id else { return false };
        match source.name {
            "old.txt" if promised.renamed.is_none() => {
                // From here on it may have either name.
                promised.renamed = Some("new.txt");
                let _ = store.rename(NOW, party, id, "new.txt").await;
            }
            "gone.txt" if !promised.is_deleted => {
                let deleted = store.delete(NOW, party, &[id]).await;
                promised.is_deleted |= deleted
                    .is_ok_and(|results| matches!(results[..], [DeleteResult::Deleting { .. }]));
            }
            _ => {}
        }
    }
    store.sweep(NOW.plus(60_000)).await.is_ok()
}

/// Whether everything that was promised is there; what is not, in words.
async fn look(bench: &Bench, source: &Source, promised: &Promised) -> Result<(), String> {
    let Some(id) = promised.id else { return Ok(()) };
    let name = source.name;
    let statuses = bench.store.status(NOW, &bench.party, &[id], None).await;
    match statuses.map_err(|error| error.to_string())?.pop() {
        Some(UploadStatus::Finished { receipt }) => {
            if promised.is_deleted {
                return Err(format!("{name} was deleted and is there"));
            }
            let reader = bench.store.read(NOW, &bench.party, id).await;
            let reader = reader.map_err(|error| format!("{name}: {error}"))?;
            let content = reader.read(0, source.bytes.len() + 1).await;
            let content = content.map_err(|error| format!("{name}: {error}"))?;
            let proved = receipt.hash.map(|hash| hash.to_string());
            if content != source.bytes || proved != Some(hash(&source.bytes)) {
                return Err(format!("{name} is finished and has other bytes"));
            }
        }
        Some(UploadStatus::Unfinished(unfinished)) if !promised.is_finished => {
            let has = |part: &&ByteRange| {
                let covers = |r: &ByteRange| r.start <= part.start && part.end <= r.end;
                !unfinished.received.iter().any(covers)
            };
            if let Some(lost) = promised.ranges.iter().find(has) {
                return Err(format!("{name}: {lost:?} was acknowledged and is lost"));
            }
        }
        Some(UploadStatus::Gone(_)) if promised.is_deleted || source.name == "gone.txt" => {}
        other => return Err(format!("{name}: promised, and now {other:?}")),
    }
    Ok(())
}

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
        2,
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
