//! The same over real connections.

use hoist_axum::{HttpConfig, ServeConfig};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{content, named, shared};
use crate::{
    running::{Running, answer, start_default, start_on},
    support::{Server, bytes},
};

/// One call over a connection of its own.
async fn over_the_wire(running: &Running, address: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = running.connect().await;
    let head = format!(
        "POST /server.php{address} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        running.addr,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let (status, _, body) = answer(&mut stream).await;
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_whole_conversation_goes_over_a_real_socket() {
    let running = start_on(
        Server::disk(HttpConfig::default()).await,
        ServeConfig::default(),
    )
    .await;
    let all = bytes(1_000_003);
    let file = named("a.bin", all.len(), 5);
    let asked = format!(
        "data[0][name]=a.bin&data[0][size]={}&data[0][lastModified]=5",
        all.len()
    );
    let ask = async || over_the_wire(&running, "?action=init", asked.as_bytes()).await;
    assert_eq!(
        ask().await,
        (200, json!({"error": 0, "msg": "", "data": [true]}))
    );
    for start in (0..all.len())
        .step_by(300_000)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let bytes = &all[start..all.len().min(start + 300_000)];
        let address = format!(
            "?action=upload&part=1&start={start}&length={}&{file}",
            bytes.len()
        );
        assert_eq!(
            over_the_wire(&running, &address, bytes).await,
            (200, json!({"error": 0, "msg": ""}))
        );
    }
    assert_eq!(ask().await.1["data"], json!([false]));
    assert!(running.server.stored("a.bin") == all);
    let deleted = over_the_wire(&running, &format!("?action=delete&{file}"), b"").await;
    assert_eq!(deleted, (200, json!({"error": 0, "msg": ""})));
    assert_eq!(ask().await.1["data"], json!([true]));
}

#[tokio::test]
async fn a_part_that_is_cut_leaves_nothing_and_is_sent_again() {
    let running = start_default().await;
    let all = bytes(400_000);
    let file = named("a", all.len(), 5);
    let address = format!("?action=upload&start=0&length=400000&{file}");
    let mut stream = running.connect().await;
    let head = format!(
        "POST /server.php{address} HTTP/1.1\r\nHost: {}\r\nContent-Length: 400000\r\n\r\n",
        running.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&all[..399_999]).await.unwrap();
    running.taken(399_999).await;
    drop(stream);
    assert_eq!(over_the_wire(&running, &address, &all).await.1["error"], 0);
    assert!(content(&running.server, &shared()).await == all);
}
