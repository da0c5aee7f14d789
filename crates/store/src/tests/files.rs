//! What becomes of finished files, and who sees what.

use hoist_protocol::{CreateAnswer, DeleteResult, ErrorCode, NewFile, OnConflict, UploadStatus};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, file, hash},
};
use crate::{
    ListQuery, StoreError,
    catalog::{Command, Outcome},
};

conformance! {
    async fn the_unmodified_file_is_present_and_a_changed_one_is_kept_beside_it(bench: Bench) {
        let all = bytes(100, 1);
        let receipt = bench.upload(file("d/a.txt", 100), &all).await;
        assert_eq!(bench.present(file("d/a.txt", 100)).await, receipt);
        // Picked alone it is found by name, size and time; in another folder it is another file.
        assert_eq!(bench.present(file("a.txt", 100)).await, receipt);
        bench.needed(file("e/a.txt", 100)).await;
        // Without a time nothing is found.
        bench.needed(NewFile { last_modified: None, ..file("d/a.txt", 100) }).await;
        let changed = NewFile { last_modified: Some(2000), ..file("d/a.txt", 100) };
        let second = bench.upload(changed, &bytes(100, 2)).await;
        assert_eq!(second.stored_as, "d/a (2).txt");
        assert_eq!((second.name.as_str(), second.path.as_str()), ("a.txt", "d"));
        assert!(bench.content(receipt.id).await == all, "the first is untouched");
    }

    async fn who_wants_to_be_asked_is_asked(bench: Bench) {
        let receipt = bench.upload(file("a", 3), b"abc").await;
        let new = NewFile { last_modified: Some(2000), on_conflict: OnConflict::Ask, ..file("a", 3) };
        assert_eq!(bench.create(new.clone()).await, CreateAnswer::Conflict { existing: receipt });
        bench.needed(NewFile { name: "b".into(), ..new }).await;
    }

    async fn an_unfinished_upload_is_found_again(bench: Bench) {
        let all = bytes(3 * CHUNK, 2);
        let first = bench.needed(file("a", 3 * CHUNK)).await;
        bench.send(first.id, &all, 1).await.unwrap();
        let again = bench.needed(file("a", 3 * CHUNK)).await;
        assert_eq!(again.id, first.id);
        assert_eq!(again.received.iter().map(|range| (range.start, range.end)).collect::<Vec<_>>(), [(CHUNK, 2 * CHUNK)]);
    }

    async fn nobody_touches_what_is_not_theirs(bench: Bench) {
        let all = bytes(2 * CHUNK, 3);
        let begun = bench.needed(file("begun", 2 * CHUNK)).await.id;
        bench.send(begun, &all, 0).await.unwrap();
        let done = bench.upload(file("done", 5), b"hello").await.id;
        let other = bench.other("v-2");
        for id in [begun, done] {
            assert!(matches!(other.status(id).await, UploadStatus::Gone(gone) if gone.error.code == ErrorCode::NotFound));
            assert!(matches!(other.store.read(NOW, &other.party, id).await, Err(StoreError::NotFound)));
            assert!(matches!(other.store.rename(NOW, &other.party, id, "x").await, Err(StoreError::NotFound)));
            assert!(matches!(other.store.write_range(NOW, &other.party, id, 0).await, Err(StoreError::NotFound)));
            assert!(matches!(other.store.set_size(NOW, &other.party, id, 5).await, Err(StoreError::NotFound)));
            assert_eq!(other.store.delete(NOW, &other.party, &[id]).await.unwrap(), [DeleteResult::Deleted]);
            let restored = other.store.restore(NOW, &other.party, &[id]).await.unwrap();
            assert!(matches!(&restored[0], DeleteResult::Refused(error) if error.code == ErrorCode::NotFound));
        }
        assert!(matches!(other.send(begun, &all, 1).await, Err(StoreError::NotFound)));
        assert!(other.store.list(NOW, &other.party, &ListQuery::default()).await.unwrap().uploads.is_empty());
        assert_ne!(other.needed(file("begun", 2 * CHUNK)).await.id, begun, "not even that it is there");
        // Everything is as it was, and the same path of another owner is no clash.
        assert_eq!(bench.received(begun).await, [(0, CHUNK)]);
        assert_eq!(bench.content(done).await, b"hello");
        assert_eq!(other.upload(file("done", 5), b"HELLO").await.stored_as, "done");
    }

    async fn the_anonymous_find_nothing_earlier(bench: Bench) {
        let bench = Bench { party: crate::Party::anonymous(), ..bench };
        let first = bench.needed(file("a", 10)).await.id;
        assert_ne!(bench.needed(file("a", 10)).await.id, first);
    }

    async fn the_anonymous_are_not_told_of_the_file_of_another_even_if_they_want_to_be_asked(bench: Bench) {
        let bench = Bench { party: crate::Party::anonymous(), ..bench };
        let theirs = bench.upload(file("a", 3), b"abc").await;
        for last_modified in [Some(1000), Some(2000), None] {
            let new = NewFile { last_modified, on_conflict: OnConflict::Ask, ..file("a", 3) };
            let mine = bench.upload(new, b"xyz").await;
            assert_ne!((mine.id, mine.stored_as), (theirs.id, theirs.stored_as.clone()));
        }
        assert_eq!(bench.content(theirs.id).await, b"abc");
    }

    async fn the_list_is_paged_unfinished_first_newest_first(bench: Bench) {
        for n in 0..5u64 {
            let at = NOW.plus(n);
            bench.store.create(at, &bench.party, &[file(&format!("u{n}"), 10 + n)]).await.unwrap();
            let created = bench.store.create(at, &bench.party, &[file(&format!("e{n}"), 0)]).await.unwrap();
            assert!(matches!(created[0], CreateAnswer::Present { .. }));
        }
        let hidden = bench.upload(file("hidden", 4), b"gone").await.id;
        bench.store.delete(NOW, &bench.party, &[hidden]).await.unwrap();
        let (mut names, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = bench.store.list(NOW, &bench.party, &ListQuery { after, limit: 3, ..ListQuery::default() }).await.unwrap();
            assert_eq!((page.counts.unfinished, page.counts.finished, page.counts.finished_bytes), (5, 5, 0));
            names.extend(page.uploads.into_iter().map(|upload| match upload {
                UploadStatus::Unfinished(upload) => upload.name,
                UploadStatus::Finished { receipt } => receipt.name,
                UploadStatus::Gone(gone) => panic!("{gone:?}"),
            }));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names, ["u4", "u3", "u2", "u1", "u0", "e4", "e3", "e2", "e1", "e0"]);
        assert_eq!(pages, 4);
        for wrong in ["", "x", "u5", "u-1", "fé-0", "u9-zz"] {
            let query = ListQuery { after: Some(wrong.into()), limit: 3, ..ListQuery::default() };
            assert!(matches!(bench.store.list(NOW, &bench.party, &query).await, Err(StoreError::Invalid(_))), "{wrong}");
        }
    }

    async fn a_list_of_finished_ones_begins_with_them_however_many_are_not(bench: Bench) {
        for n in 0..5u64 {
            let files = [file(&format!("u{n}"), 10 + n), file(&format!("e{n}"), 0)];
            bench.store.create(NOW.plus(n), &bench.party, &files).await.unwrap();
        }
        let (mut names, mut after, mut pages) = (Vec::new(), None, 0);
        while pages == 0 || after.is_some() {
            let query = ListQuery { after, limit: 2, finished_only: true };
            let page = bench.store.list(NOW, &bench.party, &query).await.unwrap();
            assert_eq!((page.counts.unfinished, page.counts.finished), (5, 5));
            names.extend(page.uploads.into_iter().map(|upload| match upload {
                UploadStatus::Finished { receipt } => receipt.name,
                other => panic!("{other:?}"),
            }));
            (pages, after) = (pages + 1, page.next);
        }
        assert_eq!((names.join(" ").as_str(), pages), ("e4 e3 e2 e1 e0", 3));
        // A page that ended among the others goes on with the finished ones, too.
        let mixed = ListQuery { limit: 2, ..ListQuery::default() };
        let after = bench.store.list(NOW, &bench.party, &mixed).await.unwrap().next;
        assert!(after.is_some());
        let query = ListQuery { after, limit: 1, finished_only: true };
        let page = bench.store.list(NOW, &bench.party, &query).await.unwrap();
        assert!(matches!(&page.uploads[..], [UploadStatus::Finished { receipt }] if receipt.name == "e4"));
    }

    async fn a_deleted_file_can_be_restored_until_its_grace_is_over(bench: Bench) {
        let id = bench.upload(file("a", 5), b"hello").await.id;
        let until = NOW.0 + 30_000;
        for _ in 0..2 {
            assert_eq!(bench.store.delete(NOW, &bench.party, &[id]).await.unwrap(), [DeleteResult::Deleting { until }]);
        }
        assert!(matches!(bench.store.read(NOW, &bench.party, id).await, Err(StoreError::NotFound)));
        assert!(matches!(bench.status(id).await, UploadStatus::Gone(_)));
        let restored = bench.store.restore(NOW, &bench.party, &[id]).await.unwrap();
        assert!(matches!(&restored[0], DeleteResult::Restored { receipt } if receipt.id == id));
        assert_eq!(bench.content(id).await, b"hello");

        bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        let over = crate::SweepReport { expired: 0, deleted: 1 };
        assert_eq!(bench.store.sweep(NOW.plus(29_999)).await.unwrap(), crate::SweepReport::default());
        assert_eq!(bench.store.sweep(NOW.plus(30_000)).await.unwrap(), over);
        let late = bench.store.restore(NOW.plus(30_000), &bench.party, &[id]).await.unwrap();
        assert!(matches!(&late[0], DeleteResult::Refused(error) if error.code == ErrorCode::NotFound));
        assert_eq!(bench.upload(file("a", 5), b"again").await.stored_as, "a", "its name is free again");
    }

    async fn a_file_whose_removal_has_begun_is_not_taken_back(bench: Bench) {
        let catalog = &bench.store.shared.catalog;
        let id = bench.upload(file("a", 5), b"hello").await.id;
        bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        let doom = |now| Command::Doom { id, now };
        // Not before its time; and then not even by somebody whose clock is behind.
        assert!(matches!(catalog.apply(doom(NOW.0 + 29_999)).await.unwrap(), Outcome::NotDone));
        assert!(matches!(catalog.apply(doom(NOW.0 + 30_000)).await.unwrap(), Outcome::Done));
        let unhide = Command::Unhide { id, now: NOW.0 };
        assert!(matches!(catalog.apply(unhide).await.unwrap(), Outcome::NotDone));
        assert_eq!(bench.store.sweep(NOW).await.unwrap().deleted, 1, "the next sweep ends it");
    }

    async fn the_sweeper_takes_what_nobody_sends_to_and_never_a_finished_file(bench: Bench) {
        let all = bytes(2 * CHUNK, 4);
        let finished = bench.upload(file("done", 3), b"abc").await.id;
        let begun = bench.needed(file("begun", 2 * CHUNK)).await.id;
        bench.send(begun, &all, 0).await.unwrap();
        let week = 7 * 24 * 3600 * 1000;
        assert_eq!(bench.store.sweep(NOW.plus(week - 1)).await.unwrap().expired, 0);
        let late = NOW.plus(week);
        let status = bench.store.status(late, &bench.party, &[begun], None).await.unwrap();
        assert!(matches!(&status[0], UploadStatus::Gone(gone) if gone.error.code == ErrorCode::Expired));
        assert_eq!(bench.store.sweep(late).await.unwrap().expired, 1);
        assert!(matches!(bench.status(begun).await, UploadStatus::Gone(gone) if gone.error.code == ErrorCode::NotFound));
        assert_eq!(bench.store.sweep(NOW.plus(100 * week)).await.unwrap(), crate::SweepReport::default());
        assert_eq!(bench.content(finished).await, b"abc");
    }

    async fn a_renamed_file_replaces_none(bench: Bench) {
        let first = bench.upload(file("d/a.txt", 3), b"abc").await;
        let second = bench.upload(file("d/b.txt", 3), b"xyz").await;
        let renamed = bench.store.rename(NOW, &bench.party, second.id, "A.txt").await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.stored_as.as_str()), ("A.txt", "d/A (2).txt"));
        assert_eq!(bench.content(first.id).await, b"abc");
        assert_eq!(bench.content(second.id).await, b"xyz");
        let third = bench.upload(NewFile { last_modified: None, ..file("d/b.txt", 1) }, b"3").await;
        assert_eq!(third.stored_as, "d/b.txt", "the old name is free");
        for wrong in ["", "..", "x/y"] {
            let result = bench.store.rename(NOW, &bench.party, first.id, wrong).await;
            assert!(matches!(result, Err(StoreError::NameNotAllowed(_))), "{wrong:?}");
        }
        assert_eq!(hash(&bench.content(first.id).await), first.hash.unwrap().to_string());
    }
}
