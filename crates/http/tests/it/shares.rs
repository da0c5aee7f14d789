//! A full house: who has more places than others gives way, and nobody is shut out who comes.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig, ServeConfig};
use hoist_protocol::{
    ChunkLayout, ChunkResult, CreateAnswer, CreateResponse, ErrorCode, PackResponse,
};
use hoist_store::{Owner, Party, StoreConfig};
use http::{HeaderValue, request::Parts};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
};

use crate::{
    running::{Running, answer, code, start_on},
    support::{C, Server, bytes, chunk, creates, file, pack, post},
};

/// Everybody is who they say they are.
struct Named;

impl Authorize for Named {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let name = parts.headers.get("x-name").map(HeaderValue::to_str);
        let owner = Owner::new(name.unwrap().unwrap()).unwrap();
        Ok(Access::full(Party::known(owner)))
    }
}

const PLACES: usize = 4;

async fn start() -> Running {
    let http = HttpConfig {
        authorize: Authorizer::new(Named),
        transfers: PLACES,
        ..HttpConfig::default()
    };
    let server = Server::with(http, StoreConfig::default());
    start_on(server, ServeConfig::default()).await
}

/// A pack on its way.
struct Sending {
    stream: TcpStream,
    body: Vec<u8>,
    sent: usize,
}

impl Sending {
    async fn go_on(&mut self, bytes: usize) {
        let to = self.body.len().min(self.sent + bytes);
        // Who had to give way may be cut off in the middle of this.
        let _ = self.stream.write_all(&self.body[self.sent..to]).await;
        self.sent = to;
    }

    /// Sends the rest; the status, and what the answer says.
    async fn end(mut self) -> (u16, Vec<u8>) {
        self.go_on(usize::MAX >> 1).await;
        let (status, _, body) = answer(&mut self.stream).await;
        (status, body)
    }
}

/// Somebody with a name and an address begins a pack of two chunks, and sends nothing of these yet.
async fn begin(running: &Running, name: &'static str, address: &str) -> Sending {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut create = post(
        "/uploads",
        serde_json::to_vec(&creates(vec![file(&number.to_string(), 2 * C)])).unwrap(),
    );
    let header = HeaderValue::from_static(name);
    create.headers_mut().insert("x-name", header);
    let created: CreateResponse = running.server.send(create).await.json();
    let CreateAnswer::Needed(needed) = &created.answers[0] else {
        panic!("it is begun: {created:?}")
    };
    let (all, layout) = (bytes(2 * C), ChunkLayout::new(2 * C, C).unwrap());
    let chunks = [0, 1].map(|index| chunk(needed.id, layout, index, &all));
    let body = pack(name, 0, &chunks);
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::new(address.parse().unwrap(), 0))
        .unwrap();
    let mut stream = socket.connect(running.addr).await.unwrap();
    let head = format!(
        "POST /hoist/packs HTTP/1.1\r\nHost: x\r\nX-Name: {name}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let sent = body.len() - 2 * C as usize;
    stream.write_all(&body[..sent]).await.unwrap();
    Sending { stream, body, sent }
}

/// Somebody takes all places, and goes on at 2 KiB a second for ten seconds.
async fn fill(running: &Running, name: &'static str, address: &str) -> Vec<Sending> {
    let mut all = Vec::new();
    for _ in 0..PLACES {
        let mut one = begin(running, name, address).await;
        one.go_on(1).await;
        all.push(one);
        running.taken(all.len() as u64).await;
    }
    for second in 1..=10 {
        for one in &mut all {
            one.go_on(2048).await;
        }
        running.taken((1 + second * 2048) * PLACES as u64).await;
        running.server.pass(1000);
    }
    all
}

/// How many of them were whole, and that the others were told to come again.
async fn whole(all: Vec<Sending>) -> usize {
    let mut whole = 0;
    for one in all {
        match one.end().await {
            (200, body) => {
                let response: PackResponse = serde_json::from_slice(&body).unwrap();
                assert_eq!(response.results, [const { ChunkResult::Acknowledged }; 2]);
                whole += 1;
            }
            (status, body) => {
                assert_eq!((status, code(&body)), (503, ErrorCode::Unavailable));
            }
        }
    }
    whole
}

#[tokio::test]
async fn one_address_that_sends_in_every_place_shuts_out_nobody() {
    let running = start().await;
    // All have one owner, and so it is the address that counts.
    let all = fill(&running, "shared", "127.0.0.1").await;
    for other in ["127.0.0.2", "127.0.0.3"] {
        let healthy = begin(&running, "shared", other).await;
        assert_eq!(whole(vec![healthy]).await, 1, "{other}");
    }
    // One place was enough for both, one after the other.
    assert_eq!(whole(all).await, PLACES - 1);
}

#[tokio::test]
async fn behind_a_proxy_one_owner_who_sends_in_every_place_shuts_out_nobody() {
    let running = start().await;
    let all = fill(&running, "greedy", "127.0.0.1").await;
    let healthy = begin(&running, "healthy", "127.0.0.1").await;
    assert_eq!(whole(vec![healthy]).await, 1);
    assert_eq!(whole(all).await, PLACES - 1);
}

#[tokio::test]
async fn where_nobody_can_be_told_from_another_nobody_loses_a_place() {
    let running = start().await;
    let all = fill(&running, "shared", "127.0.0.1").await;
    let one_more = begin(&running, "shared", "127.0.0.1").await;
    assert_eq!(whole(vec![one_more]).await, 0);
    assert_eq!(whole(all).await, PLACES);
}
