//! What becomes of chunks.

use hoist_protocol::{
    ChecksumsFrom, ChunkLayout, CreateAnswer, Kind, NewFile, PackChunk, UploadStatus,
    chunk_checksum,
};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, chunk, file, hash},
};
use crate::StoreError;

conformance! {
    async fn chunks_in_any_order_become_the_file(bench: Bench) {
        for (n, size) in [1, CHUNK - 1, CHUNK, CHUNK + 1, 7 * CHUNK + 5].into_iter().enumerate() {
            let all = bytes(size, size);
            let needed = bench.needed(file(&format!("{n}.bin"), size)).await;
            assert_eq!(needed.chunk_size, CHUNK);
            let count = size.div_ceil(CHUNK) as u32;
            let mut receipts = Vec::new();
            for index in (0..count).rev() {
                receipts.extend(bench.send(needed.id, &all, index).await.unwrap().receipt);
            }
            assert_eq!(receipts.len(), 1, "one chunk completes");
            assert_eq!(receipts[0].hash.unwrap().to_string(), hash(&all));
            assert_eq!((receipts[0].size, receipts[0].id), (size, needed.id));
            assert!(bench.content(needed.id).await == all);
        }
    }

    async fn a_chunk_sent_twice_is_stored_once_and_never_replaced(bench: Bench) {
        let all = bytes(3 * CHUNK, 1);
        let id = bench.needed(file("a", 3 * CHUNK)).await.id;
        assert!(bench.send(id, &all, 1).await.unwrap().is_new);
        assert!(!bench.send(id, &all, 1).await.unwrap().is_new);

        // Damaged the second time, with and without a checksum that would tell.
        let (mut wrong, right) = chunk(id, &all, 1);
        let mut damaged = right.to_vec();
        damaged[777] ^= 1;
        assert!(matches!(bench.send_as("page", 0, &wrong, &damaged).await, Err(StoreError::ChecksumMismatch)));
        wrong.checksum = None;
        assert!(matches!(bench.send_as("page", 0, &wrong, &damaged).await, Err(StoreError::ChunkConflict)));

        bench.send(id, &all, 0).await.unwrap();
        let receipt = bench.send(id, &all, 2).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        assert!(bench.content(id).await == all);
        // And the same of a file that is finished.
        let again = bench.send(id, &all, 1).await.unwrap();
        assert!(!again.is_new && again.receipt == Some(receipt));
        assert!(matches!(bench.send_as("page", 0, &wrong, &damaged).await, Err(StoreError::ChunkConflict)));
    }

    async fn a_damaged_chunk_is_not_stored(bench: Bench) {
        let all = bytes(2 * CHUNK, 2);
        let id = bench.needed(file("a", 2 * CHUNK)).await.id;
        let (claim, right) = chunk(id, &all, 0);
        let mut damaged = right.to_vec();
        damaged[0] ^= 1;
        assert!(matches!(bench.send_as("page", 0, &claim, &damaged).await, Err(StoreError::ChecksumMismatch)));
        assert_eq!(bench.received(id).await, []);
        bench.send(id, &all, 0).await.unwrap();
        assert_eq!(bench.received(id).await, [(0, CHUNK)]);
    }

    async fn a_chunk_of_another_length_or_index_is_refused(bench: Bench) {
        let all = bytes(2 * CHUNK + 9, 3);
        let id = bench.needed(file("a", all.len() as u64)).await.id;
        let claim = |index, length| PackChunk { upload: id, index, length, checksum: None, last: false };
        for (index, length) in [(0, CHUNK - 1), (0, CHUNK + 1), (0, 0), (2, CHUNK), (2, 10), (3, 1), (u32::MAX, CHUNK), (u32::MAX, 0)] {
            let result = bench.send_as("page", 0, &claim(index, length), &[]).await;
            assert!(matches!(result, Err(StoreError::InvalidChunk(_))), "{index} {length}: {result:?}");
        }
        // Bytes that are fewer or more than was said.
        for sent in [CHUNK as usize - 1, CHUNK as usize + 1] {
            let result = bench.send_as("page", 0, &claim(0, CHUNK), &bytes(sent as u64, 3)).await;
            assert!(matches!(result, Err(StoreError::InvalidChunk(_))), "{sent}: {result:?}");
        }
        assert_eq!(bench.received(id).await, []);
        assert!(bench.send(id, &all, 0).await.is_ok(), "the lease was given back");
    }

    async fn a_torn_chunk_is_not_acknowledged(bench: Bench) {
        let all = bytes(2 * CHUNK, 4);
        let id = bench.needed(file("a", 2 * CHUNK)).await.id;
        let (claim, part) = chunk(id, &all, 0);
        let sender = crate::tests::support::sender("page");
        let mut writer = bench.store.write_chunk(NOW, &bench.party, &sender, 0, &claim).await.unwrap();
        writer.write(NOW, bytes::Bytes::copy_from_slice(&part[..1000])).await.unwrap();
        drop(writer);
        assert_eq!(bench.received(id).await, []);
        assert!(bench.send(id, &all, 0).await.unwrap().is_new);
        assert_eq!(bench.store.received_bytes(), 1000 + CHUNK);
    }

    async fn the_last_chunk_tells_an_unknown_size(bench: Bench) {
        for (n, size) in [5, CHUNK, 2 * CHUNK, 2 * CHUNK + 5].into_iter().enumerate() {
            let all = bytes(size, 5);
            let new = NewFile { size: None, ..file(&format!("{n}"), 0) };
            let id = bench.needed(new).await.id;
            let layout = ChunkLayout::new(size, CHUNK).unwrap();
            let mut receipt = None;
            // Whole chunks first, as if the end were not known, then the rest, which may be nothing.
            for index in 0..=(size / CHUNK) as u32 {
                let start = (u64::from(index) * CHUNK) as usize;
                let part = &all[start..(start + CHUNK as usize).min(all.len())];
                let last = part.len() < CHUNK as usize;
                let checksum = (last && !part.is_empty()).then(|| chunk_checksum(layout, index, part).unwrap());
                let claim = PackChunk { upload: id, index, length: part.len() as u64, checksum, last };
                receipt = bench.send_as("page", 0, &claim, part).await.unwrap().receipt;
            }
            let receipt = receipt.expect("the last chunk completes");
            assert_eq!((receipt.size, receipt.hash.unwrap().to_string()), (size, hash(&all)), "size {size}");
            assert!(bench.content(id).await == all);
        }
    }

    async fn an_upload_without_a_size_has_one_end(bench: Bench) {
        let all = bytes(3 * CHUNK, 8);
        let id = bench.needed(NewFile { size: None, ..file("a", 0) }).await.id;
        let claim = |index: u32, length, last| PackChunk { upload: id, index, length, checksum: None, last };
        let part = |index: u64| &all[(index * CHUNK) as usize..((index + 1) * CHUNK) as usize];
        bench.send_as("page", 0, &claim(2, CHUNK, false), part(2)).await.unwrap();
        // An end before what has come, and a second end after the first.
        let early = bench.send_as("page", 0, &claim(1, CHUNK, true), part(1)).await;
        assert!(matches!(early, Err(StoreError::Invalid(_))), "{early:?}");
        assert!(matches!(bench.store.set_size(NOW, &bench.party, id, 2 * CHUNK).await, Err(StoreError::Invalid(_))));
        bench.send_as("page", 0, &claim(3, 0, true), &[]).await.unwrap();
        assert!(bench.store.set_size(NOW, &bench.party, id, 4 * CHUNK).await.is_err());
        bench.send_as("page", 0, &claim(0, CHUNK, false), part(0)).await.unwrap();
        let receipt = bench.send_as("page", 0, &claim(1, CHUNK, false), part(1)).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
    }

    async fn a_chunk_beyond_an_end_that_became_known_meanwhile_does_not_stand_for_a_missing_one(bench: Bench) {
        let all = bytes(3 * CHUNK, 11);
        let id = bench.needed(NewFile { size: None, ..file("a", 0) }).await.id;
        let claim = |index: u32, last| PackChunk { upload: id, index, length: CHUNK, checksum: None, last };
        let part = |index: u64| all[(index * CHUNK) as usize..((index + 1) * CHUNK) as usize].to_vec();
        // On its way while nobody knows that there are three only.
        let sender = crate::tests::support::sender("other");
        let mut beyond = bench.store.write_chunk(NOW, &bench.party, &sender, 0, &claim(5, false)).await.unwrap();
        beyond.write(NOW, bytes(CHUNK, 12).into()).await.unwrap();
        bench.send_as("page", 0, &claim(0, false), &part(0)).await.unwrap();
        bench.send_as("page", 0, &claim(2, true), &part(2)).await.unwrap();
        let late = beyond.finish(NOW).await;
        assert!(matches!(late, Err(StoreError::Invalid(_))), "{late:?}");
        assert_eq!(bench.received(id).await, [(0, CHUNK), (2 * CHUNK, 3 * CHUNK)]);
        let receipt = bench.send_as("page", 0, &claim(1, false), &part(1)).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        assert!(bench.content(id).await == all);
    }

    async fn the_first_chunk_may_turn_out_to_be_the_last(bench: Bench) {
        let all = bytes(CHUNK, 9);
        let id = bench.needed(NewFile { size: None, ..file("a", 0) }).await.id;
        let mut claim = PackChunk { upload: id, index: 0, length: CHUNK, checksum: None, last: false };
        bench.send_as("page", 0, &claim, &all).await.unwrap();
        claim.last = true;
        let mut damaged = all.clone();
        damaged[9] ^= 1;
        assert!(matches!(bench.send_as("page", 0, &claim, &damaged).await, Err(StoreError::ChunkConflict)));
        let again = bench.send_as("page", 0, &claim, &all).await.unwrap();
        assert!(!again.is_new);
        assert_eq!(again.receipt.unwrap().hash.unwrap().to_string(), hash(&all));
    }

    async fn a_chunk_over_a_range_writes_only_what_is_new(bench: Bench) {
        let all = bytes(2 * CHUNK, 10);
        let id = bench.needed(file("a", 2 * CHUNK)).await.id;
        let half = CHUNK as usize / 2;
        for part in [100..half, half + 10..half + 20] {
            let mut writer = bench.store.write_range(NOW, &bench.party, id, part.start as u64).await.unwrap();
            let (claim, bytes) = chunk(id, &all, 0);
            let busy = bench.send_as("page", 0, &claim, bytes).await;
            assert!(matches!(busy, Err(StoreError::InFlight { .. })), "ranges and chunks exclude each other");
            writer.write(NOW, bytes::Bytes::copy_from_slice(&all[part])).await.unwrap();
            writer.finish(NOW).await.unwrap();
        }
        let (mut claim, right) = chunk(id, &all, 0);
        claim.checksum = None;
        for wrong in [100, half + 19] {
            let mut damaged = right.to_vec();
            damaged[wrong] ^= 1;
            let result = bench.send_as("page", 0, &claim, &damaged).await;
            assert!(matches!(result, Err(StoreError::ChunkConflict)), "{wrong}: {result:?}");
        }
        assert!(bench.send(id, &all, 0).await.unwrap().is_new);
        let receipt = bench.send(id, &all, 1).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        assert!(bench.content(id).await == all);
    }

    async fn ranges_become_the_file_too(bench: Bench) {
        let all = bytes(3 * CHUNK + 77, 6);
        let id = bench.needed(NewFile { size: None, last_modified: None, ..file("form.bin", 0) }).await.id;
        for part in [0..100_000, 100_000..all.len()] {
            let mut writer = bench.store.write_range(NOW, &bench.party, id, part.start as u64).await.unwrap();
            writer.write(NOW, bytes::Bytes::copy_from_slice(&all[part])).await.unwrap();
            assert_eq!(writer.finish(NOW).await.unwrap().receipt, None);
        }
        assert_eq!(bench.received(id).await, [(0, all.len() as u64)]);
        let again = bench.store.write_range(NOW, &bench.party, id, 5).await;
        assert!(matches!(again, Err(StoreError::Invalid(_))), "what is there is never written again");
        let receipt = bench.store.set_size(NOW, &bench.party, id, all.len() as u64).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        assert!(bench.content(id).await == all);
    }

    async fn checksums_of_acknowledged_chunks_can_be_asked(bench: Bench) {
        let all = bytes(6 * CHUNK, 7);
        let id = bench.needed(file("a", 6 * CHUNK)).await.id;
        for index in [0, 1, 3, 4] {
            bench.send(id, &all, index).await.unwrap();
        }
        let asked = Some(ChecksumsFrom { from: 1, count: 2 });
        let status = bench.store.status(NOW, &bench.party, &[id], asked).await.unwrap().pop();
        let Some(UploadStatus::Unfinished(status)) = status else { panic!("unfinished") };
        let found: Vec<_> = status.checksums.iter().map(|run| (run.from, run.values.clone())).collect();
        let expected = |index| vec![chunk(id, &all, index).0.checksum.unwrap()];
        assert_eq!(found, [(1, expected(1)), (3, expected(3))]);
        assert_eq!(status.received.len(), 2);
    }

    async fn a_thousand_files_are_one_create(bench: Bench) {
        let mut files: Vec<_> = (0..996).map(|n| file(&format!("d{}/{n}", n % 7), n + 1)).collect();
        files.push(files[0].clone());
        files.push(file("empty", 0));
        files.push(NewFile { kind: Kind::Directory, ..file("folder", 0) });
        files.push(file("bad/../name", 4));
        let mut changes = bench.store.changes();
        let before = bench.transactions();
        let answers = bench.store.create(NOW, &bench.party, &files).await.unwrap();
        assert_eq!(answers.len(), 1000);
        // One for all; the empty file and the folder are claimed and finished, too.
        let made = bench.transactions() - before;
        assert!((1..=5).contains(&made), "{made} transactions");
        let mut created = 0;
        while let Ok(change) = changes.try_recv() {
            created += usize::from(matches!(change, crate::Change::Created { .. }));
        }
        assert_eq!(created, 998, "the feed tells of each new one");
        let id = |n: usize| match &answers[n] {
            CreateAnswer::Needed(needed) => needed.id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(0), id(996), "the same file twice is one upload");
        assert_ne!(id(0), id(1));
        let CreateAnswer::Present { receipt } = &answers[997] else { panic!("{:?}", answers[997]) };
        assert_eq!(receipt.hash.unwrap().to_string(), hash(b""));
        assert_eq!(bench.content(receipt.id).await, b"");
        let CreateAnswer::Present { receipt } = &answers[998] else { panic!("{:?}", answers[998]) };
        assert_eq!((receipt.kind, receipt.hash), (Kind::Directory, None));
        let CreateAnswer::Refused(error) = &answers[999] else { panic!("{:?}", answers[999]) };
        assert_eq!(error.code.as_str(), "name_not_allowed");
        files.push(file("one more", 1));
        assert!(matches!(bench.store.create(NOW, &bench.party, &files).await, Err(StoreError::TooMany { .. })));
    }
}
