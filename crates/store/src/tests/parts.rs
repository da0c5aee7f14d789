//! Parts of any size, in any order, again and overlapping; and files looked for by name.

use bytes::Bytes;
use hoist_protocol::{ByteRange, CreateAnswer, Millis, NewFile, UploadId};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, file, hash},
};
use crate::{ChunkAnswer, Party, StoreError, range::MAX_RANGES};

fn range(start: usize, length: usize) -> ByteRange {
    ByteRange::new(start as u64, (start + length) as u64)
}

/// Sends one part in pieces.
async fn part(
    bench: &Bench,
    id: UploadId,
    start: usize,
    bytes: &[u8],
) -> Result<ChunkAnswer, StoreError> {
    let mut writer = bench
        .store
        .write_part(NOW, &bench.party, id, range(start, bytes.len()))
        .await?;
    for piece in bytes.chunks(7_001) {
        writer.write(NOW, Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish(NOW).await
}

conformance! {
    async fn parts_of_any_size_that_overlap_and_come_again_become_the_file(bench: Bench) {
        let all = bytes(5 * CHUNK + 777, 21);
        let id = bench.needed(file("a", all.len() as u64)).await.id;
        // The end first; then a part within it, one across its start, one from the very start over a
        // gap between two others, the same again, and what is left.
        let size = all.len();
        for (start, end) in [
            (size - 100_000, size),
            (size - 50_000, size - 10),
            (size - 130_000, size - 90_000),
            (10_000, 20_000),
            (30_000, 30_001),
            (0, 40_000),
            (0, 40_000),
        ] {
            let answer = part(&bench, id, start, &all[start..end]).await.unwrap();
            assert_eq!(answer.receipt, None, "{start}");
        }
        let from = size as u64 - 130_000;
        assert_eq!(bench.received(id).await, [(0, 40_000), (from, size as u64)]);
        let middle = part(&bench, id, 40_000, &all[40_000..]).await.unwrap();
        assert!(middle.is_new && middle.receipt.is_some());
        // Whoever sends it all again learns that it is there.
        let again = part(&bench, id, 0, &all).await.unwrap();
        assert!(!again.is_new);
        assert_eq!(again.receipt.unwrap().hash.unwrap().to_string(), hash(&all));
        assert!(bench.content(id).await == all);
    }

    async fn other_bytes_at_a_known_place_are_a_conflict_and_change_nothing(bench: Bench) {
        let all = bytes(100_000, 22);
        let id = bench.needed(file("a", 100_000)).await.id;
        part(&bench, id, 20_000, &all[20_000..60_000]).await.unwrap();
        let mut damaged = all.clone();
        damaged[59_999] ^= 1;
        let result = part(&bench, id, 0, &damaged).await;
        assert!(matches!(result, Err(StoreError::ChunkConflict)), "{result:?}");
        part(&bench, id, 0, &all).await.unwrap();
        assert!(bench.content(id).await == all);
        let result = part(&bench, id, 59_000, &damaged[59_000..]).await;
        assert!(matches!(result, Err(StoreError::ChunkConflict)), "{result:?}");
        assert!(bench.content(id).await == all);
    }

    async fn a_part_is_as_long_as_it_says_and_lies_within_the_file(bench: Bench) {
        let id = bench.needed(file("a", 10)).await.id;
        let beyond = part(&bench, id, 8, b"abc").await;
        assert!(matches!(beyond, Err(StoreError::FileSize { max: 10, .. })), "{beyond:?}");
        let beyond = part(&bench, id, 11, b"").await;
        assert!(matches!(beyond, Err(StoreError::FileSize { max: 10, .. })), "{beyond:?}");
        assert_eq!(part(&bench, id, 10, b"").await.unwrap().receipt, None);
        for (bytes, fits) in [(&b"ab"[..], false), (b"abc", true), (b"abcd", false)] {
            let mut writer = bench.store.write_part(NOW, &bench.party, id, range(2, 3)).await.unwrap();
            let written = writer.write(NOW, Bytes::from_static(bytes)).await;
            assert_eq!(written.is_ok(), bytes.len() <= 3);
            if fits {
                continue;
            }
            let finished = writer.finish(NOW).await;
            assert!(matches!(finished, Err(StoreError::Invalid(_))), "{finished:?}");
        }
        assert!(bench.received(id).await.is_empty());
    }

    async fn a_writer_that_stands_still_is_overtaken_and_writes_no_more(bench: Bench) {
        let all = bytes(3_000, 23);
        let id = bench.needed(file("a", 3_000)).await.id;
        let mut still = bench.store.write_part(NOW, &bench.party, id, range(0, 3_000)).await.unwrap();
        still.write(NOW, Bytes::copy_from_slice(&[9; 500])).await.unwrap();
        let early = part(&bench, id, 0, &all).await;
        assert!(matches!(early, Err(StoreError::InFlight { .. })), "{early:?}");
        let later = Millis(NOW.0 + 10_000);
        let mut writer = bench.store.write_part(later, &bench.party, id, range(0, 3_000)).await.unwrap();
        assert!(matches!(still.write(later, Bytes::from_static(b"x")).await, Err(StoreError::Evicted)));
        writer.write(later, Bytes::copy_from_slice(&all)).await.unwrap();
        assert!(writer.finish(later).await.unwrap().receipt.is_some());
        assert!(bench.content(id).await == all);
    }

    async fn ranges_that_lie_apart_are_bounded(bench: Bench) {
        let id = bench.needed(file("a", 1 << 20)).await.id;
        part(&bench, id, 0, b"x").await.unwrap();
        let active = bench.store.shared.remembered(id).unwrap();
        active.lock().ranges = (0..MAX_RANGES as u64).map(|n| ByteRange::new(2 * n, 2 * n + 1)).collect();
        let apart = part(&bench, id, 2 * MAX_RANGES + 1, b"x").await;
        assert!(matches!(apart, Err(StoreError::TooMany { .. })), "{apart:?}");
        // One that closes a gap is welcome.
        assert!(part(&bench, id, 1, b"x").await.unwrap().is_new);
    }

    async fn what_is_looked_for_is_found_and_nothing_is_made(bench: Bench) {
        let (begun, done) = (file("begun", 10), file("d/done", 5));
        let other = bench.other("v-2");
        let wanted = [
            begun.clone(),
            done.clone(),
            NewFile { path: String::new(), ..done.clone() },
            NewFile { size: Some(6), ..done.clone() },
            NewFile { last_modified: Some(2), ..done.clone() },
            NewFile { last_modified: None, ..done.clone() },
            file("../x", 5),
            file("large", u64::MAX),
        ];
        let before = bench.transactions();
        assert_eq!(bench.store.find(NOW, &bench.party, &wanted).await.unwrap(), vec![None; 8]);
        assert_eq!(bench.transactions(), before);
        let id = bench.needed(begun).await.id;
        part(&bench, id, 2, b"ab").await.unwrap();
        let receipt = bench.upload(done, b"hello").await;
        let found = bench.store.find(NOW, &bench.party, &wanted).await.unwrap();
        let Some(CreateAnswer::Needed(needed)) = &found[0] else { panic!("{found:?}") };
        assert_eq!((needed.id, needed.received.as_slice()), (id, &[ByteRange::new(2, 4)][..]));
        let present = Some(CreateAnswer::Present { receipt: receipt.clone() });
        assert_eq!((&found[1], &found[2]), (&present, &present));
        assert_eq!(found[3..], vec![None; 5]);
        for party in [&other.party, &Party { finds_earlier: false, ..bench.party.clone() }] {
            assert_eq!(bench.store.find(NOW, party, &wanted).await.unwrap(), vec![None; 8]);
        }
        bench.store.delete(NOW, &bench.party, &[id, receipt.id]).await.unwrap();
        assert_eq!(bench.store.find(NOW, &bench.party, &wanted).await.unwrap(), vec![None; 8]);
        let long = vec![wanted[0].clone(); 1001];
        assert!(matches!(bench.store.find(NOW, &bench.party, &long).await, Err(StoreError::TooMany { .. })));
    }
}
