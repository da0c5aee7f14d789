//! Buffered memory has a bound, whatever the size of a body.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hoist_axum::HttpConfig;
use hoist_protocol::{
    CreateAnswer, Limits, ListResponse, NewFile, PackChunk, PackManifest, PackResponse, Sender,
};
use hoist_store::{Store, StoreConfig};

use crate::support::{Server, file, framed, post};

const FRAME: u64 = 64 << 10;
const SIZE: u64 = 64 << 20;

/// A body of a head, `SIZE` bytes and a tail that is always ready to give more, and that notes how
/// far it ever was ahead of what the store had taken.
fn greedy(store: &Store, head: Vec<u8>, tail: Vec<u8>) -> (Body, Arc<AtomicU64>) {
    let most = Arc::new(AtomicU64::new(0));
    let (store, noted) = (store.clone(), Arc::clone(&most));
    let before = store.received_bytes();
    let middle = (0..SIZE / FRAME).map(move |n| {
        let taken = store.received_bytes() - before;
        noted.fetch_max(n * FRAME - taken, Ordering::Relaxed);
        Bytes::from(vec![n as u8; FRAME as usize])
    });
    let all = [head.into()].into_iter().chain(middle).chain([tail.into()]);
    let body = Body::from_stream(stream::iter(all.map(Ok::<Bytes, std::io::Error>)));
    (body, most)
}

#[tokio::test]
async fn a_pack_of_64_mib_is_never_more_than_a_few_frames_in_memory() {
    // Such a pack is larger than the default; the limit is not what is tested.
    let config = StoreConfig {
        limits: Limits {
            pack_size: 2 * SIZE,
            ..Limits::default()
        },
        keep_free: 0,
        ..StoreConfig::default()
    };
    let server = Server::on_disk(HttpConfig::default(), config).await;
    let chunk_size = 16 << 20;
    let new = NewFile {
        chunk_size: Some(chunk_size),
        ..file("a", SIZE)
    };
    let CreateAnswer::Needed(needed) = server.create_all(vec![new]).await.remove(0) else {
        panic!("it is new")
    };
    assert_eq!(needed.chunk_size, chunk_size);
    let manifest = PackManifest {
        sender: Sender::new("s").unwrap(),
        attempt: 0,
        chunks: (0..4)
            .map(|index| PackChunk {
                upload: needed.id,
                index,
                length: chunk_size,
                checksum: None,
                last: false,
            })
            .collect(),
    };
    let head = framed(&serde_json::to_vec(&manifest).unwrap());
    let (body, most) = greedy(&server.store, head, Vec::new());
    let answer: PackResponse = server.send(post("/packs", body)).await.json();
    assert_eq!(answer.receipts[0].size, SIZE);
    assert!(most.load(Ordering::Relaxed) <= 2 * FRAME, "{most:?}");
}

#[tokio::test]
async fn a_form_of_64_mib_is_never_more_than_a_few_frames_in_memory() {
    let server = Server::disk(HttpConfig::default()).await;
    let head = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n";
    let (body, most) = greedy(&server.store, head.to_vec(), b"\r\n--B--\r\n".to_vec());
    let mut request = post("/form", body);
    let content_type = "multipart/form-data; boundary=B".parse().unwrap();
    request.headers_mut().insert("content-type", content_type);
    assert_eq!(server.send(request).await.status, 303);
    let list: ListResponse = server.get("/uploads").await.json();
    assert_eq!(list.counts.finished_bytes, SIZE);
    assert!(most.load(Ordering::Relaxed) <= 4 * FRAME, "{most:?}");
}

/// A call whose body has come but for its end; dropped, it is cut.
async fn waiting(server: &Server, size: usize) -> tokio::task::JoinHandle<http::StatusCode> {
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = Body::from_stream(stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|bytes| (bytes, receive))
    }));
    let router = server.router.clone();
    let call = tokio::spawn(async move {
        use tower::ServiceExt as _;
        router
            .oneshot(post("/uploads/status", body))
            .await
            .unwrap()
            .status()
    });
    send.send(Ok(Bytes::from(vec![b' '; size]))).await.unwrap();
    // Taken only when the one before it was.
    send.send(Ok(Bytes::from_static(b" "))).await.unwrap();
    send.send(Ok(Bytes::from_static(b" "))).await.unwrap();
    tokio::spawn(async move { send.closed().await });
    call
}

#[tokio::test]
async fn json_of_many_calls_together_is_bounded_and_its_room_comes_back() {
    let config = HttpConfig {
        json_memory: 6 << 20,
        ..HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    let small = || server.send(post("/uploads/status", br#"{"ids":[]}"#.to_vec()));
    assert_eq!(small().await.status, 200);
    let first = waiting(&server, 2 << 20).await;
    assert_eq!(small().await.status, 200, "there is room for small ones");
    let big = [br#"{"ids":[]}"#.to_vec(), vec![b' '; 4 << 20]].concat();
    let answer = server.send(post("/uploads/status", big.clone())).await;
    assert_eq!(
        answer.error(),
        (503, hoist_protocol::ErrorCode::Unavailable)
    );
    assert_eq!(small().await.status, 200, "a refusal keeps no room");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(server.send(post("/uploads/status", big)).await.status, 200);
}
