//! A sync that fails for one writer may drop what another has written and not synced, and says so once.

use bytes::Bytes;
use hoist_protocol::UploadStatus;

use super::*;
use crate::tests::support::{chunk, sender};

/// A file of two chunks: one has begun to come when the sync of the other fails at this step. Whether that
/// one and then the first was acknowledged.
async fn beside(step: u64, seed: u64) -> (bool, bool) {
    let config = with(Durability::Power, None);
    let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::default());
    let disk = SimDisk::new(u64::MAX, seed);
    let bench = start(&disk, &catalog, &config, "boot").await.unwrap();
    let all = bytes(2 * CHUNK, 3);
    let id = bench.needed(file("a", 2 * CHUNK)).await.id;
    let (one, (first, part)) = (sender("one"), chunk(id, &all, 0));
    let (begun, rest) = part.split_at(part.len() / 2);
    let writing = bench.store.write_chunk(NOW, &bench.party, &one, 0, &first);
    let mut writer = writing.await.unwrap();
    writer
        .write(NOW, Bytes::copy_from_slice(begun))
        .await
        .unwrap();
    disk.fail_in(step);
    let (other, whole) = chunk(id, &all, 1);
    let is_other = bench.send_as("two", 0, &other, whole).await.is_ok();
    disk.fail_at(0);
    writer
        .write(NOW, Bytes::copy_from_slice(rest))
        .await
        .unwrap();
    let is_first = writer.finish(NOW).await.is_ok();
    let said = bench.status(id).await;
    drop(bench);
    let disk = disk.after_death(u64::MAX);
    let bench = start(&disk, &catalog, &config, "next").await.unwrap();
    if let UploadStatus::Finished { .. } = said {
        assert!(bench.content(id).await == all, "step {step}, seed {seed}");
    } else {
        // What is missing comes again, and with it the file is whole.
        for index in 0..2 {
            bench.send(id, &all, index).await.unwrap();
        }
        assert!(bench.content(id).await == all, "step {step}, seed {seed}");
    }
    (is_other, is_first)
}

#[tokio::test]
async fn a_chunk_beside_which_a_sync_failed_is_not_acknowledged() {
    let (mut refused, mut both) = (0, 0);
    for (step, seed) in (1..20).flat_map(|step| (1..8).map(move |seed| (step, seed))) {
        let (is_other, is_first) = beside(step, seed).await;
        refused += u64::from(!is_other && !is_first);
        both += u64::from(is_other && is_first);
    }
    // The syncs of the bytes and of the checksums; and late steps fail nothing.
    assert!(refused >= 14 && both >= 14, "{refused}, {both}");
}
