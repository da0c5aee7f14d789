//! Room in memory for JSON is full: who has much of it, or hardly moves, gives way to who comes.

use std::{io, net::SocketAddr};

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use futures_util::stream;
use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig};
use hoist_protocol::{ChunkLayout, ErrorBody, ErrorCode, PackManifest, PackResponse, Sender};
use hoist_store::{Owner, Party, StoreConfig};
use http::{HeaderValue, Request, request::Parts};
use tokio::{sync::mpsc, task::JoinHandle};
use tower::ServiceExt as _;

use crate::{
    running::until,
    support::{C, Server, chunk, creates, file, pack, post},
};

/// Everybody is who they say they are, and else all are one.
struct Named;

impl Authorize for Named {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let name = parts.headers.get("x-name").map(HeaderValue::to_str);
        let owner = Owner::new(name.map_or("shared", Result::unwrap)).unwrap();
        Ok(Access::full(Party::known(owner)))
    }
}

/// So many bodies of which a bit more than half has come fill the house.
const BODIES: usize = 16;
/// What each of them takes; a manifest may be no larger.
const EACH: usize = 256 << 10;

fn start() -> Server {
    let http = HttpConfig {
        authorize: Authorizer::new(Named),
        json_memory: (BODIES * EACH) as u64,
        ..HttpConfig::default()
    };
    Server::with(http, StoreConfig::default())
}

/// `owner@1` has the address 127.0.0.1.
fn from(who: &'static str, mut request: Request<Body>) -> Request<Body> {
    let (owner, last) = who.split_once('@').unwrap();
    let peer = SocketAddr::from(([127, 0, 0, last.parse().unwrap()], 1));
    request.extensions_mut().insert(ConnectInfo(peer));
    let name = HeaderValue::from_static(owner);
    request.headers_mut().insert("x-name", name);
    request
}

/// How a body of JSON comes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// As a create.
    Create,
    /// As the manifest of a pack, behind its length.
    Manifest,
    /// As the manifest of a pack in a form, before the end of its line.
    Line,
}

impl Kind {
    fn request(self, body: Body) -> Request<Body> {
        let path = match self {
            Self::Create => "/uploads",
            Self::Manifest | Self::Line => "/packs",
        };
        let mut request = post(path, body);
        if matches!(self, Self::Line) {
            let form = HeaderValue::from_static("multipart/form-data; boundary=B");
            request.headers_mut().insert("content-type", form);
        }
        request
    }

    fn head(self) -> Vec<u8> {
        match self {
            Self::Create => Vec::new(),
            Self::Manifest => (EACH as u32).to_be_bytes().to_vec(),
            Self::Line => b"--B\r\n\r\n".to_vec(),
        }
    }

    /// The rest, after so many spaces.
    fn rest(self, spaces: usize) -> Vec<u8> {
        let manifest = PackManifest {
            sender: Sender::new("s").unwrap(),
            attempt: 0,
            chunks: Vec::new(),
        };
        match self {
            Self::Create => serde_json::to_vec(&creates(vec![file("slow", 1)])).unwrap(),
            Self::Manifest => {
                let mut rest = serde_json::to_vec(&manifest).unwrap();
                rest.resize(EACH - spaces, b' ');
                rest
            }
            Self::Line => {
                let json = serde_json::to_string(&manifest).unwrap();
                format!("{json}\r\n--B--\r\n").into()
            }
        }
    }
}

/// A request that is alive, with room for what has come of it.
struct Holding {
    kind: Kind,
    send: mpsc::Sender<Result<Bytes, io::Error>>,
    spaces: usize,
    call: JoinHandle<(u16, Bytes)>,
}

impl Holding {
    async fn begin(server: &Server, kind: Kind, who: &'static str) -> Self {
        let (send, receive) = mpsc::channel(1);
        let body = Body::from_stream(stream::unfold(receive, |mut receive| async {
            receive.recv().await.map(|bytes| (bytes, receive))
        }));
        let request = from(who, kind.request(body));
        let router = server.router.clone();
        let call = tokio::spawn(async move {
            let answer = router.oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            (status, body.unwrap())
        });
        send.send(Ok(kind.head().into())).await.unwrap();
        let spaces = EACH / 2;
        send.send(Ok(vec![b' '; spaces].into())).await.unwrap();
        // One more, which needs the next size; and it is taken when the second one behind it is.
        for _ in 0..3 {
            send.send(Ok(Bytes::from_static(b" "))).await.unwrap();
        }
        Self {
            kind,
            send,
            spaces: spaces + 3,
            call,
        }
    }

    /// Sends the rest. Whether it was taken; else it was told to come again.
    async fn end(self) -> bool {
        let rest = self.kind.rest(self.spaces);
        // Who had to give way is not read any more.
        let _ = self.send.send(Ok(rest.into())).await;
        drop(self.send);
        let (status, body) = self.call.await.unwrap();
        if status != 200 {
            let error: ErrorBody = serde_json::from_slice(&body).unwrap();
            assert_eq!((status, error.code), (503, ErrorCode::Unavailable));
            assert!(error.retry_after_ms.is_some());
        }
        status == 200
    }
}

async fn fill(server: &Server, kind: Kind, who: [&'static str; BODIES]) -> Vec<Holding> {
    let mut all = Vec::new();
    for who in who {
        all.push(Holding::begin(server, kind, who).await);
    }
    all
}

async fn whole(all: Vec<Holding>) -> usize {
    let mut whole = 0;
    for one in all {
        whole += usize::from(one.end().await);
    }
    whole
}

/// A create and a pack of somebody whose bodies are small and come at once.
async fn is_served(server: &Server, who: &'static str) {
    let create = serde_json::to_vec(&creates(vec![file(who, 1)])).unwrap();
    let created = server.send(from(who, post("/uploads", create))).await;
    assert_eq!(created.status, 200, "{who} {created:?}");
    let created: hoist_protocol::CreateResponse = created.json();
    let hoist_protocol::CreateAnswer::Needed(needed) = &created.answers[0] else {
        panic!("it is new: {created:?}")
    };
    let layout = ChunkLayout::new(1, C).unwrap();
    let body = pack("s", 0, &[chunk(needed.id, layout, 0, b"x")]);
    let sent = server.send(from(who, post("/packs", body))).await;
    assert_eq!(sent.status, 200, "{who} {sent:?}");
    assert_eq!(sent.json::<PackResponse>().receipts.len(), 1);
}

/// A create as large as one of those that fill the house, which comes at once.
async fn large(server: &Server, who: &'static str) -> u16 {
    let mut create = serde_json::to_vec(&creates(vec![file("large", 1)])).unwrap();
    create.resize(EACH, b' ');
    let answer = server.send(from(who, post("/uploads", create))).await;
    answer.status.as_u16()
}

#[tokio::test]
async fn one_address_that_holds_all_room_shuts_out_nobody() {
    for kind in [Kind::Create, Kind::Manifest, Kind::Line] {
        let server = start();
        let all = fill(&server, kind, ["shared@1"; BODIES]).await;
        is_served(&server, "shared@2").await;
        is_served(&server, "shared@3").await;
        // A large one fits, too, and nobody else has to give way for it.
        assert_eq!(large(&server, "shared@2").await, 200);
        // The room of one was enough for all of them, one after the other.
        assert_eq!(whole(all).await, BODIES - 1, "{kind:?}");
    }
}

#[tokio::test]
async fn behind_a_proxy_one_owner_who_holds_all_room_shuts_out_nobody() {
    let server = start();
    let all = fill(&server, Kind::Create, ["greedy@1"; BODIES]).await;
    is_served(&server, "healthy@1").await;
    assert_eq!(large(&server, "healthy@1").await, 200);
    assert_eq!(whole(all).await, BODIES - 1);
}

#[tokio::test]
async fn where_nobody_can_be_told_from_another_a_small_body_gets_room_and_a_large_one_waits() {
    let server = start();
    let all = fill(&server, Kind::Create, ["shared@1"; BODIES]).await;
    assert_eq!(large(&server, "shared@1").await, 503);
    is_served(&server, "shared@1").await;
    assert_eq!(whole(all).await, BODIES - 1);
}

#[tokio::test]
async fn many_addresses_that_hold_all_room_and_hardly_move_give_way_to_any_body() {
    let server = start();
    let all = fill(
        &server,
        Kind::Create,
        [
            "a@11", "a@12", "a@13", "a@14", "a@15", "a@16", "a@17", "a@18", "a@19", "a@20", "a@21",
            "a@22", "a@23", "a@24", "a@25", "a@26",
        ],
    )
    .await;
    // Each has its share, and nobody is looked at before their time.
    server.pass(4_999);
    assert_eq!(large(&server, "a@2").await, 503);
    server.pass(3_600_000);
    assert_eq!(large(&server, "a@2").await, 200);
    until("all are told", async || {
        all.iter().all(|one| one.call.is_finished())
    })
    .await;
    assert_eq!(whole(all).await, 0);
}
