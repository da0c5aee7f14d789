//! The line between a page and the server, and what it does to requests.

use std::{convert::Infallible, io, rc::Rc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hoist_engine::Failure;
use hoist_protocol::{ErrorBody, route};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::{chance::Fault, world::World};

/// Bytes that travel together.
const PIECE: usize = 16 << 10;

/// What an answer was: its status and its body.
type Answer = (StatusCode, Bytes);

/// A request as the page makes it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: &'static str,
    /// What comes before the bytes of chunks; all of it for a small call.
    pub(crate) head: Bytes,
    pub(crate) parts: Vec<Bytes>,
}

impl Call {
    fn len(&self) -> usize {
        self.head.len() + self.parts.iter().map(Bytes::len).sum::<usize>()
    }

    fn is_pack(&self) -> bool {
        self.path == route::PACKS
    }

    /// The body in pieces.
    fn pieces(&self) -> Vec<Bytes> {
        [&self.head]
            .into_iter()
            .chain(&self.parts)
            .flat_map(|part| {
                (0..part.len())
                    .step_by(PIECE)
                    .map(|at| part.slice(at..part.len().min(at + PIECE)))
            })
            .collect()
    }

    /// Turns over one bit in the bytes of a chunk.
    fn damage(&mut self, world: &World) {
        let many = self.parts.len() as u64;
        let part = &mut self.parts[usize::try_from(world.below(many)).unwrap()];
        let mut bytes = part.to_vec();
        let at = usize::try_from(world.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << world.below(8);
        *part = bytes.into();
    }
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    Lost,
    AnswerLost,
    /// The body ends after so many bytes.
    Cut(usize),
    /// Nothing more comes after so many bytes.
    Stalled(usize),
    Damaged,
    Twice,
    BadGateway,
}

fn fate(world: &World, call: &Call) -> Fate {
    if world.is_peace() || world.below(world.fault_rate) > 0 {
        return Fate::Good;
    }
    let len = call.len() as u64;
    let at = usize::try_from(world.below(len)).unwrap();
    let has_bytes = call.is_pack() && !call.parts.is_empty();
    let (fate, fault) = match world.below(8) {
        0 => (Fate::Lost, Fault::RequestLost),
        1 => (Fate::AnswerLost, Fault::AnswerLost),
        2 | 3 => (Fate::Cut(at), Fault::BodyCut),
        4 if world.below(4) == 0 => (Fate::Stalled(at), Fault::BodyStalled),
        5 if has_bytes => (Fate::Damaged, Fault::BytesDamaged),
        6 => (Fate::Twice, Fault::SentTwice),
        7 if world.proxy_limit.is_some() => (Fate::BadGateway, Fault::ProxyBadGateway),
        _ => return Fate::Good,
    };
    world.count(fault);
    fate
}

/// Makes a call, and suffers what the line does to it. `progress` hears what the line has taken.
pub(crate) async fn call<T: DeserializeOwned>(
    world: &Rc<World>,
    mut call: Call,
    progress: impl Fn(u64) + 'static,
) -> Result<T, Failure> {
    let foreign = |status| {
        Err(Failure::Foreign {
            status,
            retry_after_ms: None,
        })
    };
    let mut delay = 5 + world.below(60);
    if !world.is_peace() && world.below(20) == 0 {
        world.count(Fault::Delayed);
        delay += world.below(9_000);
    }
    sleep(Duration::from_millis(delay)).await;
    let is_proxied = world.proxy_limit.is_some();
    if world.proxy_limit.is_some_and(|limit| call.len() > limit) {
        world.count(Fault::ProxyTooLarge);
        return foreign(413);
    }
    if world.is_down.get() {
        return if is_proxied {
            foreign(502)
        } else {
            Err(Failure::NoAnswer)
        };
    }
    let fate = fate(world, &call);
    match fate {
        Fate::Lost => return Err(Failure::NoAnswer),
        Fate::BadGateway => return foreign([502, 503, 504][delay as usize % 3]),
        Fate::Damaged => call.damage(world),
        Fate::Good | Fate::AnswerLost | Fate::Cut(_) | Fate::Stalled(_) | Fate::Twice => {}
    }
    let answering = deliver(world, &call, fate, Rc::new(progress));
    let answer = if fate == Fate::Twice {
        world.waste(call.parts.iter().map(|part| part.len() as u64).sum());
        // A proxy sends it again because it saw no answer yet: both arrive, each at its own pace.
        let copy = async {
            sleep(Duration::from_millis(world.below(3_000))).await;
            deliver(world, &call, Fate::Good, Rc::new(|_| ())).await
        };
        tokio::join!(answering, copy).0
    } else {
        answering.await
    };
    sleep(Duration::from_millis(5 + world.below(60))).await;
    if matches!(fate, Fate::AnswerLost | Fate::Cut(_)) {
        return Err(Failure::NoAnswer);
    }
    let Some((status, body)) = answer else {
        return Err(Failure::NoAnswer);
    };
    if status == StatusCode::OK {
        Ok(serde_json::from_slice(&body).unwrap())
    } else {
        Err(Failure::Refused(
            serde_json::from_slice::<ErrorBody>(&body).unwrap(),
        ))
    }
}

/// Brings a request to the server, as far as its fate lets it; `None` if the server dies meanwhile.
async fn deliver(
    world: &Rc<World>,
    call: &Call,
    fate: Fate,
    progress: Rc<dyn Fn(u64)>,
) -> Option<Answer> {
    let (feed, body) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(1);
    let body = Body::from_stream(stream::unfold(body, |mut body| async move {
        Some((body.recv().await?, body))
    }));
    let request = Request::builder()
        .method(Method::POST)
        .uri(call.path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, call.len())
        .body(body)
        .unwrap();
    let pieces = call.pieces();
    let speed = world.speed;
    let sending = async move {
        let mut sent = 0;
        for mut piece in pieces {
            sleep(Duration::from_millis(piece.len() as u64 / speed)).await;
            let end = sent + piece.len();
            match fate {
                Fate::Cut(at) if at < end => {
                    let _ = feed.send(Ok(piece.split_to(at - sent))).await;
                    let _ = feed.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                    return;
                }
                Fate::Stalled(at) if at < end => {
                    let _ = feed.send(Ok(piece.split_to(at - sent))).await;
                    return std::future::pending().await;
                }
                _ => {}
            }
            if feed.send(Ok(piece)).await.is_err() {
                return;
            }
            sent = end;
            progress(sent as u64);
        }
    };
    // The server may answer before it has read everything, and read on after it has answered.
    let mut life = world.life();
    let answering = answer(world, request);
    tokio::pin!(answering, sending);
    let mut is_sent = false;
    loop {
        tokio::select! {
            biased;
            _ = life.changed() => return None,
            answer = &mut answering => return Some(answer),
            () = &mut sending, if !is_sent => is_sent = true,
        }
    }
}

async fn answer(world: &World, request: Request<Body>) -> Answer {
    let response = world
        .router()
        .oneshot(request)
        .await
        .unwrap_or_else(|never: Infallible| match never {});
    let status = response.status();
    let body = response.into_body().collect().await;
    (status, body.map(|body| body.to_bytes()).unwrap_or_default())
}

/// Reads something without any trouble.
pub(crate) async fn get(world: &World, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).unwrap();
    answer(world, request).await
}

/// Hashes a finished file as it comes from the server.
pub(crate) async fn hash_of(world: &World, path: &str) -> (StatusCode, blake3::Hash) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = world
        .router()
        .oneshot(request)
        .await
        .unwrap_or_else(|never: Infallible| match never {});
    let status = response.status();
    let mut hasher = blake3::Hasher::new();
    let mut body = response.into_body().into_data_stream();
    while let Some(bytes) = body.next().await {
        hasher.update(&bytes.unwrap());
    }
    (status, hasher.finalize())
}
