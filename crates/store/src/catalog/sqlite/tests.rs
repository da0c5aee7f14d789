//! The sums that triggers keep are those that adding up finds.

use hoist_protocol::{Kind, UploadId};
use proptest::prelude::*;

use super::{super::MemoryCatalog, *};
use crate::catalog::{Creation, Room, RowState};

fn row(number: u8, owner: &str, size: Option<u64>) -> Row {
    Row {
        id: UploadId::from_bytes([number; 16]),
        owner: Owner::new(owner).unwrap(),
        name: number.to_string(),
        folder: String::new(),
        kind: Kind::File,
        size,
        last_modified: None,
        media_type: None,
        chunk_size: 1 << 16,
        state: RowState::Unfinished,
        created: u64::from(number),
        expires: 1000,
        received: 0,
        finished: 0,
        hash: None,
        stored_as: number.to_string(),
        path_key: number.to_string(),
        epoch: 0,
    }
}

fn create(row: Row) -> Command {
    let room = Room {
        owner: row.owner.clone(),
        free: u64::MAX,
        quota: None,
        files: None,
        unfinished: 1000,
        since: 0,
    };
    let creations = vec![Creation {
        row,
        finds_earlier: false,
        asks: false,
    }];
    Command::Create { creations, room }
}

fn command() -> impl Strategy<Value = Command> {
    let id = (0_u8..12).prop_map(|number| UploadId::from_bytes([number; 16]));
    (id, 0_u8..9, 0_u64..200, 0_u8..12).prop_map(|(id, kind, bytes, number)| match kind {
        0 | 1 => {
            let owner = if number % 3 == 0 { "a" } else { "b" };
            create(row(number, owner, (bytes > 20).then_some(bytes)))
        }
        2 => Command::Touch {
            id,
            expires: 1000,
            received: bytes,
        },
        3 => Command::SetSize { id, size: bytes },
        4 => Command::Claim {
            id,
            stored_as: id.to_string(),
            path_key: id.to_string(),
            hash: None,
            size: bytes,
        },
        5 => Command::Finish { id, finished: 7 },
        6 => Command::Unclaim { id },
        7 => Command::Hide {
            id,
            now: 8,
            until: 9,
        },
        _ => Command::Remove { id },
    })
}

async fn compare(sqlite: &SqliteCatalog, memory: &MemoryCatalog, since: u64) {
    for owner in [None, Owner::new("a"), Owner::new("b"), Owner::new("nobody")] {
        let found = sqlite.usage(owner.clone(), since).await.unwrap();
        let wanted = memory.usage(owner, since).await.unwrap();
        assert_eq!(format!("{found:?}"), format!("{wanted:?}"));
    }
}

async fn open(folder: &tempfile::TempDir) -> SqliteCatalog {
    let file = folder.path().join("catalog.db");
    SqliteCatalog::open(&file, &StoreConfig::default())
        .await
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_both_catalogs_add_up_the_same(
        commands in proptest::collection::vec(command(), 1..60),
        since in 0_u64..14,
    ) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (sqlite, memory) = (open(&folder).await, MemoryCatalog::default());
            let has = |id: UploadId| memory.get(vec![id]);
            for command in commands {
                if let Command::Create { creations, .. } = &command
                    && !has(creations[0].row.id).await.unwrap().is_empty()
                {
                    continue;
                }
                sqlite.apply(command.clone()).await.unwrap();
                memory.apply(command).await.unwrap();
            }
            compare(&sqlite, &memory, since).await;
        });
    }
}

#[test]
fn an_older_catalog_gets_its_sums() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (sqlite, memory) = (open(&folder).await, MemoryCatalog::default());
        for (number, size, received) in [
            (1, Some(100), 0),
            (2, Some(200), 50),
            (3, None, 70),
            (9, Some(7), 0),
        ] {
            let new = row(number, "a", size);
            let id = new.id;
            for command in [
                create(new),
                Command::Touch {
                    id,
                    expires: 1000,
                    received,
                },
            ] {
                sqlite.apply(command.clone()).await.unwrap();
                memory.apply(command).await.unwrap();
            }
        }
        sqlite.close().await.unwrap();
        let old = Connection::open(folder.path().join("catalog.db")).unwrap();
        old.execute_batch(
            "DROP TRIGGER uploads_added; DROP TRIGGER uploads_changed; DROP TRIGGER uploads_removed;
             ALTER TABLE totals DROP COLUMN begun_bytes;
             ALTER TABLE totals DROP COLUMN begun_missing;
             ALTER TABLE totals DROP COLUMN announced_bytes;
             PRAGMA user_version = 3",
        )
        .unwrap();
        old.close().unwrap();
        let sqlite = open(&folder).await;
        compare(&sqlite, &memory, 4).await;
        sqlite.apply(create(row(10, "a", Some(5)))).await.unwrap();
        memory.apply(create(row(10, "a", Some(5)))).await.unwrap();
        compare(&sqlite, &memory, 0).await;
    });
}
