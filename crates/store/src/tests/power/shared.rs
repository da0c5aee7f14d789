//! A sync that fails for one writer may drop what another has written and not synced, and says so once.

use bytes::Bytes;
use hoist_protocol::CreateAnswer;

use super::*;
use crate::{
    ChunkAnswer, ChunkWriter, RangeWriter,
    tests::support::{chunk, sender},
};

const SIZE: u64 = 4 * CHUNK;
/// The chunk whose sync fails.
const OTHER: u32 = 3;

/// One that has begun when that happens.
enum Begun {
    Chunk(ChunkWriter),
    Range(RangeWriter),
}

impl Begun {
    async fn write(&mut self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        let written = match self {
            Self::Chunk(writer) => writer.write(NOW, bytes).await,
            Self::Range(writer) => writer.write(NOW, bytes).await,
        };
        written.unwrap();
    }

    async fn finish(self) -> Result<ChunkAnswer, StoreError> {
        match self {
            Self::Chunk(writer) => writer.finish(NOW).await,
            Self::Range(writer) => writer.finish(NOW).await,
        }
    }
}

/// Sends so many small files in one group that the whole disk is synced. Whether all were acknowledged.
async fn small(bench: &Bench) -> bool {
    let files: Vec<_> = (0..20).map(|n| file(&format!("small {n}"), 9)).collect();
    let (store, party) = (&bench.store, &bench.party);
    let Ok(created) = store.create(NOW, party, &files).await else {
        return false;
    };
    let mut chunks = Vec::new();
    for answer in &created {
        let CreateAnswer::Needed(needed) = answer else {
            panic!("needed, not {answer:?}");
        };
        let (chunk, bytes) = chunk(needed.id, b"nine byte", 0);
        chunks.push((chunk, Bytes::copy_from_slice(bytes)));
    }
    let two = sender("two");
    let answers = store.write_small(NOW, party, &two, 0, chunks).await;
    answers.iter().all(Result::is_ok)
}

/// What fails for the other one.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Nothing,
    Step(u64),
    Sync,
}

struct Beside {
    acknowledged: (bool, bool),
    has_failed: bool,
}

/// A file of which a part has begun to come when something of another fails. Whether that one and then the
/// first was acknowledged.
///
/// What is acknowledged is looked at; `has_failed` is whether that step was there at all.
async fn beside(is_range: bool, fails: Fails, seed: u64) -> Beside {
    let config = with(Durability::Power, None);
    let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::default());
    let disk = SimDisk::new(u64::MAX, seed).at_once();
    let bench = start(&disk, &catalog, &config, "boot").await.unwrap();
    let (store, party, all) = (&bench.store, &bench.party, bytes(SIZE, 3));
    let id = bench.needed(file("a", SIZE)).await.id;
    let (one, (first, mut part)) = (sender("one"), chunk(id, &all, 0));
    let mut begun = if is_range {
        part = &all[..OTHER as usize * CHUNK as usize];
        Begun::Range(store.write_range(NOW, party, id, 0).await.unwrap())
    } else {
        let chunk = store.write_chunk(NOW, party, &one, 0, &first);
        Begun::Chunk(chunk.await.unwrap())
    };
    let (before, after) = part.split_at(part.len() * 3 / 4);
    begun.write(before).await;
    match fails {
        Fails::Nothing => {}
        Fails::Step(step) => disk.fail_in(step),
        Fails::Sync => disk.fail_next_sync(),
    }
    let is_other = if is_range {
        small(&bench).await
    } else {
        bench.send(id, &all, OTHER).await.is_ok()
    };
    let has_failed = disk.has_failed();
    disk.fail_at(0);
    begun.write(after).await;
    let is_first = begun.finish().await.is_ok();
    // Whoever is refused comes again, and is taken.
    for index in 0..=OTHER {
        bench.send(id, &all, index).await.unwrap();
    }
    drop(bench);
    let disk = disk.after_death(u64::MAX);
    let bench = start(&disk, &catalog, &config, "next").await.unwrap();
    assert!(bench.content(id).await == all, "{fails:?}, seed {seed}");
    Beside {
        acknowledged: (is_other, is_first),
        has_failed,
    }
}

#[tokio::test]
async fn bytes_beside_which_a_sync_failed_are_not_acknowledged() {
    for (is_range, steps) in [(false, 30), (true, 160)] {
        for seed in 1..8 {
            let sync = beside(is_range, Fails::Sync, seed).await;
            assert_eq!(sync.acknowledged, (false, false));
            let nothing = beside(is_range, Fails::Nothing, seed).await;
            assert_eq!(nothing.acknowledged, (true, true));
            // Which step is a sync differs from run to run; whatever fails, what is acknowledged is kept.
            for step in 1..=steps {
                let failed = beside(is_range, Fails::Step(step), seed).await;
                assert!(failed.has_failed || step > 5, "{step}");
                assert!(!failed.has_failed || step < steps, "more steps than {step}");
            }
        }
    }
}
