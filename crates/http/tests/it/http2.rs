//! What one HTTP/2 connection may do to the server.

use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::running::{LONG, Running, answer, start_default};

async fn connect(
    running: &Running,
) -> (
    h2::client::SendRequest<bytes::Bytes>,
    tokio::task::JoinHandle<Result<(), h2::Error>>,
) {
    let stream = running.connect().await;
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    (send, tokio::spawn(connection))
}

fn limits() -> Request<()> {
    Request::get("http://x/hoist/limits").body(()).unwrap()
}

/// Asks once and reads the answer.
async fn ask(send: &h2::client::SendRequest<bytes::Bytes>) -> u16 {
    let mut send = send.clone().ready().await.unwrap();
    let (response, _) = send.send_request(limits(), true).unwrap();
    response.await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_connection_has_so_many_streams_at_one_time() {
    let running = start_default().await;
    let (send, _connection) = connect(&running).await;
    assert_eq!(ask(&send).await, 200);
    // As the server has said in its settings.
    assert_eq!(send.current_max_send_streams(), 64);
}

#[tokio::test]
async fn who_begins_and_resets_streams_without_end_loses_the_connection_and_nobody_else_does() {
    let running = start_default().await;
    let (other, _other) = connect(&running).await;
    assert_eq!(ask(&other).await, 200);
    let (send, connection) = connect(&running).await;
    assert_eq!(ask(&send).await, 200);
    // CVE-2023-44487: each is reset before it is answered, so none counts as one at a time.
    let flood = async {
        for _ in 0..100_000 {
            let Ok(mut ready) = send.clone().ready().await else {
                return;
            };
            let request = Request::post("http://x/hoist/packs").body(()).unwrap();
            let Ok((_, mut stream)) = ready.send_request(request, false) else {
                return;
            };
            // Else the client keeps both to itself.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            stream.send_reset(h2::Reason::CANCEL);
        }
        panic!("it goes on for ever");
    };
    timeout(LONG, flood).await.unwrap();
    let ended = timeout(LONG, connection).await.unwrap().unwrap();
    let error = ended.expect_err("the server has ended it");
    assert_eq!(
        error.reason(),
        Some(h2::Reason::ENHANCE_YOUR_CALM),
        "{error:?}"
    );
    assert_eq!(ask(&other).await, 200);
    // Nor does HTTP/1.1.
    let mut stream = running.connect().await;
    let ask = b"GET /hoist/limits HTTP/1.1\r\nHost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, ask)
        .await
        .unwrap();
    assert_eq!(answer(&mut stream).await.0, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_ends_its_request_only() {
    let running = start_default().await;
    let (send, _connection) = connect(&running).await;
    assert_eq!(ask(&send).await, 200);
    let request = Request::get("http://x/hoist/limits").header("x-large", "a".repeat(40 << 10));
    let mut ready = send.clone().ready().await.unwrap();
    let (response, _) = ready.send_request(request.body(()).unwrap(), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 431);
    assert_eq!(ask(&send).await, 200);
}

/// A frame as it travels (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

#[tokio::test]
async fn a_head_that_never_ends_ends_its_connection_and_no_other() {
    let running = start_default().await;
    let (other, _other) = connect(&running).await;
    assert_eq!(ask(&other).await, 200);
    // CVE-2024-27316 and its kin: a head goes on in CONTINUATION frames without END_HEADERS. With fields,
    // whose bytes add up, and empty, where only their number does.
    let field = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x7f][..], &[b'a'; 256]].concat();
    for payload in [field.repeat(50), Vec::new()] {
        let mut stream = running.connect().await;
        let settings = frame(4, 0, 0, &[]);
        let headers = frame(1, 0, 1, &[0x82, 0x86, 0x84]);
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &headers].concat();
        stream.write_all(&begin).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let next = frame(9, 0, 1, &payload).repeat(8);
        let flood = async {
            let mut sent = 0;
            while sent < 1 << 20 && write.write_all(&next).await.is_ok() {
                sent += 8;
            }
            sent
        };
        // Whatever it says first, it closes.
        let closes = async {
            let mut said = Vec::new();
            let _ = read.read_to_end(&mut said).await;
        };
        let ended = async {
            tokio::select! {
                sent = flood => assert!(sent < 1 << 20, "it goes on for ever"),
                () = closes => {}
            }
        };
        timeout(LONG, ended).await.unwrap();
        assert_eq!(ask(&other).await, 200);
    }
}
