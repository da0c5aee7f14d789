//! Limits, quotas and the folder itself.

use hoist_protocol::{CreateAnswer, ErrorCode, NewFile};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, config, file, hash},
};
use crate::{Store, StoreError};

fn code(answer: &CreateAnswer) -> Option<ErrorCode> {
    match answer {
        CreateAnswer::Refused(error) => Some(error.code),
        _ => None,
    }
}

conformance! {
    async fn a_quota_counts_reservations_and_what_is_there(bench: Bench) {
        let mut bench = bench;
        bench.party.quota = Some(100);
        bench.upload(file("done", 40), &bytes(40, 1)).await;
        bench.needed(file("reserved", 30)).await;
        assert_eq!(
            bench
                .store
                .limits(NOW, &bench.party)
                .await
                .unwrap()
                .quota_left,
            Some(30)
        );
        assert_eq!(
            code(&bench.create(file("more", 31)).await),
            Some(ErrorCode::QuotaExceeded)
        );
        // Two in one call share what is left.
        let pair = bench
            .store
            .create(NOW, &bench.party, &[file("x", 20), file("y", 20)])
            .await
            .unwrap();
        assert_eq!(
            (code(&pair[0]), code(&pair[1])),
            (None, Some(ErrorCode::QuotaExceeded))
        );
        // A reservation without a byte lapses.
        let later = NOW.plus(3_600_001);
        let answers = bench
            .store
            .create(later, &bench.party, &[file("z", 60)])
            .await
            .unwrap();
        assert_eq!(code(&answers[0]), None);
    }

    async fn a_reservation_that_lapsed_is_made_again_before_the_first_byte_or_refused(bench: Bench) {
        let mut bench = bench;
        bench.party.quota = Some(100);
        let late = bench.needed(file("late", 60)).await.id;
        let later = NOW.plus(3_600_001);
        let created = bench.store.create(later, &bench.party, &[file("quick", 60)]).await.unwrap();
        let CreateAnswer::Needed(quick) = &created[0] else { panic!("{created:?}") };
        let all = bytes(60, 1);
        let (claim, part) = crate::tests::support::chunk(late, &all, 0);
        let sender = crate::tests::support::sender("page");
        let begin = || bench.store.write_chunk(later, &bench.party, &sender, 0, &claim);
        assert!(matches!(begin().await, Err(StoreError::QuotaExceeded)));
        let range = bench.store.write_range(later, &bench.party, late, 0).await;
        assert!(matches!(range, Err(StoreError::QuotaExceeded)));
        bench.store.delete(later, &bench.party, &[quick.id]).await.unwrap();
        let mut writer = begin().await.unwrap();
        let other = bench.store.create(later, &bench.party, &[file("other", 60)]).await.unwrap();
        assert_eq!(code(&other[0]), Some(ErrorCode::QuotaExceeded), "it is reserved again");
        writer.write(later, part.to_vec().into()).await.unwrap();
        assert!(writer.finish(later).await.unwrap().receipt.is_some());
    }

    async fn uploads_without_a_size_that_grow_at_once_share_the_quota(bench: Bench) {
        let mut bench = bench;
        bench.party.quota = Some(5 << 20);
        let mut writers = Vec::new();
        for name in ["a", "b"] {
            let new = NewFile { size: None, ..file(name, 0) };
            let id = bench.needed(new).await.id;
            writers.push(bench.store.write_range(NOW, &bench.party, id, 0).await.unwrap());
        }
        let (mut written, mut refused) = (0, 0);
        let piece = bytes(256 << 10, 1);
        for n in 0..24 {
            match writers[n % 2].write(NOW, piece.clone().into()).await {
                Ok(()) => written += piece.len(),
                Err(StoreError::QuotaExceeded) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(refused > 0 && (3 << 20..=5 << 20).contains(&written), "{written} {refused}");
    }

    async fn what_was_sent_or_begun_before_needs_no_new_room(bench: Bench) {
        let mut bench = bench;
        bench.party.quota = Some(100);
        let done = bench.upload(file("done", 60), &bytes(60, 1)).await;
        let begun = bench.needed(file("begun", 40)).await;
        for _ in 0..2 {
            assert_eq!(bench.present(file("done", 60)).await, done);
            assert_eq!(bench.needed(file("begun", 40)).await, begun);
        }
        let both = [file("begun", 40), file("begun", 40)];
        let answers = bench.store.create(NOW, &bench.party, &both).await.unwrap();
        assert!(answers.iter().all(|answer| code(answer).is_none()));
        assert_eq!(
            code(&bench.create(file("new", 1)).await),
            Some(ErrorCode::QuotaExceeded)
        );
    }

    async fn an_upload_without_a_size_stays_within_the_quota(bench: Bench) {
        let mut bench = bench;
        bench.party.quota = Some(CHUNK + 100);
        let sizeless = |name| NewFile {
            size: None,
            ..file(name, 0)
        };
        let ranged = bench.needed(sizeless("ranged")).await.id;
        let mut writer = bench
            .store
            .write_range(NOW, &bench.party, ranged, 0)
            .await
            .unwrap();
        writer.write(NOW, bytes(100, 1).into()).await.unwrap();
        let more = writer.write(NOW, bytes(CHUNK + 1, 1).into()).await;
        assert!(matches!(more, Err(StoreError::QuotaExceeded)), "{more:?}");
        drop(writer);

        let chunked = bench.needed(sizeless("chunked")).await.id;
        let send = async |index: u32| {
            let (length, checksum, last) = (CHUNK, None, false);
            let claim = hoist_protocol::PackChunk {
                upload: chunked,
                index,
                length,
                checksum,
                last,
            };
            bench.send_as("page", 0, &claim, &bytes(CHUNK, 2)).await
        };
        send(0).await.unwrap();
        let more = send(1).await;
        assert!(matches!(more, Err(StoreError::QuotaExceeded)), "{more:?}");
        assert!(
            !send(0).await.unwrap().is_new,
            "what is there costs nothing"
        );
    }
}

#[tokio::test]
async fn limits_stand_on_size_type_and_number() {
    let mut config = config();
    config.limits.file_size = 100;
    config.limits.min_file_size = 2;
    config.limits.types = vec!["image/*".into(), ".txt".into()];
    config.limits.unfinished = 2;
    let bench = Bench::memory_with(config);
    let png = |name: &str, size| NewFile {
        media_type: Some("image/png".into()),
        ..file(name, size)
    };
    let files = [
        png("a", 101),
        png("b", 1),
        file("c.exe", 50),
        png("d", 100),
        file("e.TXT", 2),
        png("f", 50),
    ];
    let answers = bench.store.create(NOW, &bench.party, &files).await.unwrap();
    let codes: Vec<_> = answers.iter().map(code).collect();
    let too_large = Some(ErrorCode::TooLarge);
    assert_eq!(
        codes,
        [
            too_large,
            too_large,
            Some(ErrorCode::TypeNotAllowed),
            None,
            None,
            Some(ErrorCode::TooMany)
        ]
    );
    let again = bench
        .store
        .create(NOW, &bench.party, &[png("d", 100)])
        .await
        .unwrap();
    assert_eq!(code(&again[0]), None, "what was begun is no new one");
    let other = bench.other("v2");
    assert_eq!(
        code(&other.create(png("a", 50)).await),
        None,
        "another visitor has their own number"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_owner_has_so_many_files_and_bytes_finished_or_not() {
    let config = crate::StoreConfig {
        quota: Some(100),
        files: Some(3),
        ..config()
    };
    for bench in [
        Bench::memory_with(config.clone()),
        Bench::disk_with(config.clone()).await,
    ] {
        let left = async || {
            let limits = bench.store.limits(NOW, &bench.party).await.unwrap();
            limits.quota_left
        };
        assert_eq!(left().await, Some(100));
        let done = bench.upload(file("done", 40), &bytes(40, 1)).await;
        let empty = bench.present(file("empty", 0)).await;
        let answers = [file("large", 61), file("begun", 60), file("fourth", 0)];
        let answers = bench
            .store
            .create(NOW, &bench.party, &answers)
            .await
            .unwrap();
        let codes: Vec<_> = answers.iter().map(code).collect();
        let (quota, many) = (ErrorCode::QuotaExceeded, ErrorCode::TooMany);
        assert_eq!(codes, [Some(quota), None, Some(many)]);
        let CreateAnswer::Refused(refused) = &answers[2] else {
            panic!("{answers:?}")
        };
        assert_eq!(refused.message, "too many files: at most 3 are allowed");
        assert_eq!(left().await, Some(0));
        let folder = NewFile {
            kind: hoist_protocol::Kind::Directory,
            ..file("folder", 0)
        };
        assert_eq!(code(&bench.create(folder.clone()).await), Some(many));
        // What is there is found, whatever is used up.
        assert_eq!(bench.present(file("done", 40)).await, done);
        bench.needed(file("begun", 60)).await;
        // Another has their own; and who brings a quota has that one.
        let mut other = bench.other("v-2");
        other.needed(file("a", 100)).await;
        other.party.quota = Some(200);
        other.needed(file("b", 100)).await;
        assert_eq!(code(&other.create(file("c", 1)).await), Some(quota));
        // A deleted file makes room for another.
        bench
            .store
            .delete(NOW, &bench.party, &[empty.id])
            .await
            .unwrap();
        assert_eq!(code(&bench.create(folder).await), None);
    }
}

#[tokio::test]
async fn more_than_is_free_is_refused_and_what_has_come_is_not_counted_twice() {
    let bench = Bench::memory();
    let free = 1u64 << 50;
    // The largest files first: reservations alone must fit.
    let large = 16 << 40;
    let files: Vec<_> = (0..free / large)
        .map(|n| file(&format!("{n}"), large))
        .collect();
    let answers = bench.store.create(NOW, &bench.party, &files).await.unwrap();
    assert!(answers.iter().all(|answer| code(answer).is_none()));
    assert_eq!(
        code(&bench.create(file("one more", 1)).await),
        Some(ErrorCode::StorageFull)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_strangers_who_announce_a_terabyte_each_do_not_stop_anybody() {
    const TB: u64 = 1_000_000_000_000;
    // Room for less than the first of them.
    let disk = Bench::disk().await;
    // Room for most of them together, but not for all and one more.
    let memory = Bench::memory();
    for bench in [disk, memory] {
        let mut announced = 0;
        for n in 0..1200 {
            let stranger = bench.other(&format!("stranger-{n}"));
            announced += u64::from(code(&stranger.create(file("huge", TB)).await).is_none());
        }
        let healthy = bench.other("healthy");
        let all = bytes(2 * CHUNK, 3);
        let receipt = healthy.upload(file("a", 2 * CHUNK), &all).await;
        assert_eq!(receipt.hash.unwrap().to_string(), hash(&all));
        // In one call nobody gets more than there is.
        let files: Vec<_> = (0..1200).map(|n| file(&format!("{n}"), TB)).collect();
        let greedy = bench.other("greedy");
        let made = bench
            .store
            .create(NOW, &greedy.party, &files[..1000])
            .await
            .unwrap();
        let more = bench
            .store
            .create(NOW, &greedy.party, &files[1000..])
            .await
            .unwrap();
        let granted = made
            .iter()
            .chain(&more)
            .filter(|answer| code(answer).is_none())
            .count();
        assert!(granted < 1200, "{granted} of 1200, {announced} announced");
        assert!(matches!(
            code(more.last().unwrap()),
            Some(ErrorCode::StorageFull)
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_one_server_and_refuses_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), config(), NOW).await.unwrap();
    let second = Store::open(folder.path(), config(), NOW).await.unwrap_err();
    assert!(matches!(&second, StoreError::FolderInUse { .. }));
    assert!(
        second.to_string().contains("in use by another server"),
        "{second}"
    );
    store.close().await.unwrap();
    drop(store);

    let newer = rusqlite::Connection::open(folder.path().join("catalog.db")).unwrap();
    newer.pragma_update(None, "user_version", 5).unwrap();
    newer.close().unwrap();
    let refused = Store::open(folder.path(), config(), NOW).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { found: 5, known: 4 }),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_on_the_machine_may_look_into_a_folder_that_the_store_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    let folder = root.path().join("new/data");
    let store = Store::open(&folder, config(), NOW).await.unwrap();
    assert_eq!(mode(&folder) & 0o777, 0o700);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm", "lock"] {
        assert_eq!(mode(&folder.join(name)) & 0o777, 0o600, "{name}");
    }
    store.close().await.unwrap();

    // Somebody who made it may want others to look.
    let shared = root.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).unwrap();
    let _store = Store::open(&shared, config(), NOW).await.unwrap();
    assert_eq!(mode(&shared) & 0o777, 0o755);
    assert_eq!(mode(&shared.join("catalog.db")) & 0o777, 0o600);
}

#[tokio::test]
async fn a_closed_store_takes_nothing_and_says_so() {
    let bench = Bench::memory();
    let id = bench.needed(file("a", 5)).await.id;
    bench.store.close().await.unwrap();
    assert!(matches!(
        bench.send(id, b"hello", 0).await,
        Err(StoreError::Unavailable)
    ));
    assert!(matches!(
        bench.store.create(NOW, &bench.party, &[]).await,
        Err(StoreError::Unavailable)
    ));
}
