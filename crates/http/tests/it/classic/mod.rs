//! The classic dialect: what the plugin's README promises, and what it could not promise.

mod encodings;
mod refusals;
mod sockets;
mod table;
mod visitors;

use axum::body::Body;
use futures_util::future::join_all;
use hoist_protocol::{ListCounts, ListResponse, UploadStatus};
use hoist_store::{ListQuery, Owner, Party};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Answer, Server, bytes};

/// What an address says of a file.
pub(super) fn named(name: &str, size: usize, time: u64) -> String {
    format!("size={size}&lastModified={time}&name={name}")
}

pub(super) fn request(address: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("/server.php{address}"))
        .header("host", "hoist.example")
        .body(body.into())
        .unwrap()
}

pub(super) async fn call(server: &Server, address: &str, body: impl Into<Body>) -> Answer {
    server.send(request(address, body)).await
}

/// Status, number, and whether there are words for a person.
pub(super) fn said(answer: &Answer) -> (u16, u64, String) {
    let value: Value = answer.json();
    let text = |name| value[name].as_str().unwrap_or_default().to_owned();
    let number = value["error"].as_u64().unwrap();
    assert_eq!(number == 0, text("msg").is_empty(), "{value}");
    (answer.status.as_u16(), number, text("code"))
}

pub(super) async fn init(server: &Server, base: &str, files: &[(&str, usize, u64)]) -> Value {
    let list: Vec<_> = files
        .iter()
        .map(|(name, size, time)| json!({"name": name, "size": size, "lastModified": time}))
        .collect();
    let body = serde_json::to_vec(&list).unwrap();
    let answer = call(server, &format!("{base}?action=init"), body).await;
    assert_eq!(said(&answer), (200, 0, String::new()), "{answer:?}");
    answer.json::<Value>()["data"].clone()
}

/// Sends one part.
pub(super) async fn part(
    server: &Server,
    base: &str,
    file: &str,
    start: usize,
    bytes: &[u8],
) -> Answer {
    let length = bytes.len();
    let address = format!("{base}?action=upload&part=0&start={start}&length={length}&{file}");
    call(server, &address, bytes.to_vec()).await
}

pub(super) async fn delete(server: &Server, base: &str, file: &str) -> Answer {
    call(server, &format!("{base}?action=delete&{file}"), "").await
}

pub(super) async fn list(server: &Server, party: &Party) -> ListResponse {
    let query = ListQuery::default();
    server
        .store
        .list(server.now(), party, &query)
        .await
        .unwrap()
}

/// The bytes of the only finished file.
pub(super) async fn content(server: &Server, party: &Party) -> Vec<u8> {
    let list = list(server, party).await;
    let [UploadStatus::Finished { receipt }] = &list.uploads[..] else {
        panic!("{list:?}")
    };
    let reader = server.store.read(server.now(), party, receipt.id).await;
    let found = reader.unwrap().read(0, 1 << 24).await.unwrap();
    assert_eq!(
        receipt.hash.unwrap().to_string(),
        blake3::hash(&found).to_hex().as_str()
    );
    found.to_vec()
}

pub(super) fn shared() -> Party {
    Party::known(Owner::shared())
}

#[tokio::test]
async fn parts_of_any_size_in_any_order_become_the_file_that_init_then_knows() {
    for server in Server::both().await {
        let all = bytes(300_001);
        let file = named("a%20%E4%BD%A0.bin", all.len(), 7);
        let asked = [("a 你.bin", all.len(), 7)];
        assert_eq!(init(&server, "", &asked).await, json!([true]));
        // Asking makes nothing.
        assert_eq!(list(&server, &shared()).await.counts.unfinished, 0);
        for (start, end) in [
            (300_000, 300_001),
            (100_000, 250_000),
            (0, 1),
            (100_000, 250_000),
            (1, 65_536),
            (240_000, 300_000),
            (50_000, 65_536),
        ] {
            let answer = part(&server, "", &file, start, &all[start..end]).await;
            assert_eq!(
                answer.json::<Value>(),
                json!({"error": 0, "msg": ""}),
                "{start}"
            );
            assert_eq!(init(&server, "", &asked).await, json!([true]), "{start}");
        }
        part(&server, "", &file, 65_536, &all[65_536..100_000]).await;
        assert_eq!(init(&server, "", &asked).await, json!([false]));
        assert_eq!(content(&server, &shared()).await, all);
        // The last one again, as after a lost answer.
        let again = part(&server, "", &file, 65_536, &all[65_536..100_000]).await;
        assert_eq!(said(&again).1, 0);
        let changed = [
            ("a 你.bin", all.len() - 1, 7),
            ("a 你.bin", all.len(), 8),
            ("A 你.bin", all.len(), 7),
        ];
        assert_eq!(init(&server, "", &changed).await, json!([true, true, true]));
        assert_eq!(
            said(&delete(&server, "", &file).await),
            (200, 0, String::new())
        );
        assert_eq!(init(&server, "", &asked).await, json!([true]));
        assert_eq!(said(&delete(&server, "", &file).await).1, 0, "again");
        assert_eq!(list(&server, &shared()).await.counts, ListCounts::default());
    }
}

#[tokio::test]
async fn a_changed_file_is_never_spliced_and_never_replaces_the_old_one() {
    let server = Server::memory();
    let file = named("a", 6, 1);
    part(&server, "", &file, 0, b"abc").await;
    let other = part(&server, "", &file, 2, b"Xdef").await;
    assert_eq!(said(&other), (200, 409, "chunk_conflict".to_owned()));
    part(&server, "", &file, 3, b"def").await;
    assert_eq!(content(&server, &shared()).await, b"abcdef");
    part(&server, "", &named("a", 3, 1), 0, b"new").await;
    let list = list(&server, &shared()).await;
    let mut names: Vec<_> = list
        .uploads
        .iter()
        .map(|upload| match upload {
            UploadStatus::Finished { receipt } => receipt.stored_as.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "a (2)"]);
}

#[tokio::test]
async fn an_unfinished_file_is_cancelled_with_all_its_bytes() {
    let server = Server::memory();
    let file = named("a", 10, 1);
    part(&server, "", &file, 5, b"fghij").await;
    assert_eq!(list(&server, &shared()).await.counts.unfinished, 1);
    assert_eq!(said(&delete(&server, "", &file).await).1, 0);
    assert_eq!(list(&server, &shared()).await.counts.unfinished, 0);
    // Nothing of it comes back.
    part(&server, "", &file, 0, b"ABCDE").await;
    assert_eq!(init(&server, "", &[("a", 10, 1)]).await, json!([true]));
    part(&server, "", &file, 5, b"FGHIJ").await;
    assert_eq!(content(&server, &shared()).await, b"ABCDEFGHIJ");
}

#[tokio::test]
async fn a_file_of_0_bytes_is_there_once_it_was_asked_about() {
    let server = Server::memory();
    let asked = [("empty", 0, 1), ("a", 1, 1)];
    assert_eq!(init(&server, "", &asked).await, json!([false, true]));
    assert_eq!(
        said(&part(&server, "", &named("empty", 0, 1), 0, b"").await).1,
        0
    );
    assert_eq!(
        said(&part(&server, "", &named("other", 0, 1), 0, b"").await).1,
        0
    );
    assert_eq!(list(&server, &shared()).await.counts.finished, 2);
}

#[tokio::test]
async fn parts_of_one_file_may_come_at_the_same_time() {
    for server in Server::both().await {
        let all = bytes(200_000);
        let file = named("a", all.len(), 1);
        let parts = (0..10).rev().map(|n| {
            let start = n * 20_000;
            part(&server, "", &file, start, &all[start..start + 20_000])
        });
        for answer in join_all(parts).await {
            assert_eq!(said(&answer), (200, 0, String::new()));
        }
        assert_eq!(content(&server, &shared()).await, all);
    }
}
