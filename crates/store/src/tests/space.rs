//! Limits, quotas and the folder itself.

use hoist_protocol::{CreateAnswer, ErrorCode, NewFile};

use super::support::{Bench, NOW, bytes, config, file};
use crate::{Store, StoreError};

fn code(answer: &CreateAnswer) -> Option<ErrorCode> {
    match answer {
        CreateAnswer::Refused(error) => Some(error.code),
        _ => None,
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
    let other = bench.other("v2");
    assert_eq!(
        code(&other.create(png("a", 50)).await),
        None,
        "another visitor has their own number"
    );
}

#[tokio::test]
async fn a_quota_counts_reservations_and_what_is_there() {
    let mut bench = Bench::memory();
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

    let newer =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("catalog.db"));
    let mut connection = sqlx::ConnectOptions::connect(&newer).await.unwrap();
    sqlx::query("PRAGMA user_version = 2")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let refused = Store::open(folder.path(), config(), NOW).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { found: 2, known: 1 }),
        "{refused:?}"
    );
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

#[tokio::test]
async fn a_thousand_creates_are_one_command_of_the_catalog() {
    let bench = Bench::memory();
    let files: Vec<_> = (0..1000).map(|n| file(&format!("{n}"), 5)).collect();
    let mut changes = bench.store.changes();
    bench.store.create(NOW, &bench.party, &files).await.unwrap();
    let mut created = 0;
    while changes.try_recv().is_ok() {
        created += 1;
    }
    assert_eq!(created, 1000, "the feed tells of each");
    assert_eq!(bench.store.shared.catalog.commands(), 1);
}
