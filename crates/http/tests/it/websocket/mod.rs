//! Packs over a WebSocket, on real connections and with a client that is none of ours.

mod doors;
mod ends;
mod packs;

use axum::{extract::WebSocketUpgrade, routing::get};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hoist_axum::{HttpConfig, ServeConfig};
use hoist_protocol::{
    ByteRange, ChunkResult, ErrorBody, ErrorCode, PackResponse, SocketAnswer, SocketPack,
    SocketTaken,
};
use http::{Request, StatusCode};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::Role},
};

use crate::{
    running::{LONG, Running, start, start_default, until},
    support::{C, Server, chunk, pack},
    tokens::{create, token, with},
    visitors::{server, visit},
};

pub(super) type Socket = WebSocketStream<TcpStream>;

/// What a browser sends of itself.
pub(super) fn handshake(running: &Running, headers: &[(&'static str, &str)]) -> Request<()> {
    let address = format!("ws://{}/hoist/socket", running.addr);
    let mut request = address.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

pub(super) async fn open_with(
    running: &Running,
    headers: &[(&'static str, &str)],
) -> Result<Socket, Error> {
    let stream = running.connect().await;
    let opened = client_async(handshake(running, headers), stream).await;
    opened.map(|(socket, _)| socket)
}

pub(super) async fn open(running: &Running) -> Socket {
    open_with(running, &[]).await.unwrap()
}

/// Begins a pack and sends its first bytes.
pub(super) async fn begin(socket: &mut Socket, length: usize, bytes: &[u8]) {
    let begin = SocketPack {
        length: length as u64,
    };
    let begin = serde_json::to_string(&begin).unwrap();
    socket.send(Message::text(begin)).await.unwrap();
    for piece in bytes.chunks(100_000) {
        let piece = Bytes::copy_from_slice(piece);
        socket.send(Message::Binary(piece)).await.unwrap();
    }
}

/// What is told until the answer, and the answer; `None` if the socket is closed before it.
pub(super) async fn told(socket: &mut Socket) -> (Vec<u64>, Option<SocketAnswer>) {
    let mut taken = Vec::new();
    let reading = async {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            match serde_json::from_str::<SocketTaken>(&text) {
                Ok(told) => taken.push(told.taken),
                Err(_) => return Some(serde_json::from_str(&text).unwrap()),
            }
        }
        None
    };
    let answer = timeout(LONG, reading).await.expect("an answer or an end");
    (taken, answer)
}

pub(super) async fn answer(socket: &mut Socket) -> SocketAnswer {
    told(socket).await.1.expect("an answer")
}

pub(super) fn results(answer: &SocketAnswer) -> Vec<ChunkResult> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let response: PackResponse = serde_json::from_str(&answer.body).unwrap();
    response.results
}

pub(super) fn code(answer: &SocketAnswer) -> ErrorCode {
    serde_json::from_str::<ErrorBody>(&answer.body)
        .unwrap()
        .code
}

pub(super) async fn is_closed(socket: &mut Socket) {
    let (_, answer) = told(socket).await;
    assert_eq!(answer, None, "nothing follows");
}

/// The status with which a handshake is refused.
pub(super) async fn refused(running: &Running, headers: &[(&'static str, &str)]) -> StatusCode {
    match open_with(running, headers).await {
        Err(Error::Http(response)) => response.status(),
        other => panic!("{other:?}"),
    }
}
