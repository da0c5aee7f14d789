//! `GET /socket`: packs over a WebSocket (RFC 6455), one after the other.
//!
//! For a page on a line so fast that the browser is its limit: Chromium copies the body of a request into new memory twice
//! before it sends it, and what goes through a WebSocket once, into memory that it has already. A pack is the same
//! as in `POST /packs` and goes the same way, with the headers of the handshake; who may send it is asked anew each time.
//!
//! The page begins a pack with a text, `{"length":…}`, and sends its bytes in binary messages. It is told
//! `{"taken":…}` meanwhile, the bytes so far, and in the end `{"status":…,"body":"…"}`, the answer that a
//! request would have had. An answer that comes before all bytes have come closes the socket.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::{
        FromRequestParts as _, Request, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use hoist_protocol::{ErrorCode, SocketAnswer, SocketPack, SocketTaken, route};
use http::{HeaderName, HeaderValue, Method, Uri, header, request::Parts};
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tracing::Instrument as _;

use crate::{
    Access, ApiError, Stopping, coming::Coming, origin::Origin, pack::send_pack, router::Core,
    seat::Seat, token,
};

/// Most bytes of one message: a socket holds up to three of them, one that comes (and its room while it rests), one on its
/// way, and one being written.
const MESSAGE_SIZE: usize = 256 << 10;
/// Read at one time. More gains nothing.
const READ_SIZE: usize = 32 << 10;
/// The page is told how much has been taken after so many bytes, or after so long if that is sooner: on a line that has become
/// slow it must see that something moves.
const TELL_SIZE: u64 = 1 << 20;
const TELL_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn open(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    // Any page on the web may open a socket, with the visitor's cookie: unlike a `GET`, it changes something.
    Origin::of(&parts, &core.config.allowed_origins).check(&Method::POST)?;
    access.require(|rights| rights.send)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|rejection| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "This address is for a WebSocket of HTTP/1.1",
        )
        .with_source(rejection)
    })?;
    let place = Arc::clone(&core.sockets).try_acquire_owned();
    let place = place.map_err(|_| {
        ApiError::new(
            ErrorCode::Unavailable,
            "There are too many sockets; send requests",
        )
    })?;
    let stopping = parts.extensions.get::<Stopping>().cloned();
    let seat = parts.extensions.remove::<Seat>();
    let socket = Socket {
        core,
        stopping,
        parts: of_a_pack(parts),
    };
    let span = tracing::Span::current();
    let upgrade = upgrade
        .read_buffer_size(READ_SIZE)
        .max_message_size(MESSAGE_SIZE)
        .max_frame_size(MESSAGE_SIZE);
    Ok(upgrade.on_upgrade(move |stream| {
        let serve = async move {
            match seat {
                None => socket.serve(stream).await,
                Some(mut seat) => tokio::select! {
                    () = socket.serve(stream) => {}
                    () = seat.gone() => {}
                },
            }
            drop(place);
        };
        serve.instrument(span)
    }))
}

/// The head of a request to send a pack, from that of the handshake.
fn of_a_pack(mut parts: Parts) -> Parts {
    parts.method = Method::POST;
    parts.uri = Uri::from_static(route::PACKS);
    for name in [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::SEC_WEBSOCKET_PROTOCOL,
        // Of a body, which the handshake has none of.
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::EXPECT,
        HeaderName::from_static("transfer-encoding"),
    ] {
        parts.headers.remove(name);
    }
    // They are slices of the buffer that the connection had before, and would keep all of it.
    for value in parts.headers.values_mut() {
        if let Ok(own) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = own;
        }
    }
    parts
}

/// An open socket.
struct Socket {
    core: Arc<Core>,
    stopping: Option<Stopping>,
    parts: Parts,
}

/// The connection is gone.
struct Cut;

impl Socket {
    async fn serve(self, mut stream: WebSocket) {
        let age = Duration::from_millis(self.core.config.socket_ms);
        let end = Instant::now() + age;
        // Who is using it has been told by then that a pack was the last.
        let late = end + age / 4;
        while let Some(message) = self.next(&mut stream, late).await {
            let begun = match message {
                Message::Text(text) => serde_json::from_str(&text).ok(),
                Message::Binary(_) => None,
                Message::Close(_) => break,
                Message::Ping(_) | Message::Pong(_) if self.is_over(late) => break,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            let answered = match begun {
                Some(SocketPack { length }) => self.pack(&mut stream, length).await,
                None => Ok((out_of_turn().into_response(), false)),
            };
            let Ok((answer, is_whole)) = answered else {
                break;
            };
            // Said, or the page would begin another one that is lost.
            let last = !is_whole || self.is_over(end);
            let told = tell(&mut stream, &read(answer, last).await).await;
            if told.is_err() || last {
                break;
            }
        }
        self.close(stream).await;
    }

    /// Whether no pack may begin any more.
    fn is_over(&self, end: Instant) -> bool {
        let is_stopping = self.stopping.as_ref().is_some_and(Stopping::is_stopping);
        is_stopping || Instant::now() >= end
    }

    /// What begins the next pack; `None` if there is to be none.
    async fn next(&self, stream: &mut WebSocket, late: Instant) -> Option<Message> {
        let mut stopping = self.stopping.clone();
        let stopping = async {
            match &mut stopping {
                Some(stopping) => stopping.stopping().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            message = stream.recv() => message?.ok(),
            () = stopping => None,
            () = sleep_until(late) => None,
        }
    }

    /// Passes the bytes of a pack on; its answer, and whether all of them have come.
    async fn pack(&self, stream: &mut WebSocket, length: u64) -> Result<(Response, bool), Cut> {
        let (sender, bytes) = mpsc::channel(1);
        let body = Body::new(Coming {
            bytes,
            left: length,
        });
        let mut answer = pin!(self.answer(body));
        let mut sender = Some(sender);
        let (mut taken, mut told, mut told_at) = (0, 0, Instant::now());
        loop {
            let passing = async {
                match &sender {
                    Some(sender) if taken < length => pass(stream, sender, length - taken).await,
                    // Refused or whole: only the answer is to come.
                    _ => std::future::pending().await,
                }
            };
            let passed = tokio::select! {
                answer = answer.as_mut() => return Ok((answer, taken == length)),
                passed = passing => passed,
            };
            match passed {
                Passed::Bytes(count) => taken += count,
                Passed::Nothing => {}
                Passed::Refused => sender = None,
                Passed::Cut => {
                    // What is whole of it is kept.
                    drop(sender);
                    answer.await;
                    return Err(Cut);
                }
            }
            let is_time = taken - told >= TELL_SIZE || told_at.elapsed() >= TELL_AFTER;
            if is_time && told < taken && taken < length {
                (told, told_at) = (taken, Instant::now());
                tell(stream, &SocketTaken { taken }).await?;
            }
        }
    }

    async fn answer(&self, body: Body) -> Response {
        let access = token::access(&self.core, &self.parts).await;
        let request = Request::from_parts(self.parts.clone(), body);
        let sent = match access {
            Ok(access) => {
                send_pack(State(Arc::clone(&self.core)), Extension(access), request).await
            }
            Err(error) => Err(error),
        };
        sent.unwrap_or_else(ApiError::into_response)
    }

    /// Says goodbye, or answers one, and reads some of what is still coming: who closes over unread bytes sends a reset,
    /// which can overtake what was said last.
    async fn close(self, mut stream: WebSocket) {
        let mut left = self.core.config.drain_size;
        let rest = async {
            // Fails if the other side has said it first; reading on sends the answer to that.
            let _ = stream.send(Message::Close(None)).await;
            while let Some(Ok(message)) = stream.recv().await {
                match left.checked_sub(message.into_data().len() as u64) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        let _ = timeout(Duration::from_millis(self.core.config.drain_ms), rest).await;
    }
}

/// What became of one message.
enum Passed {
    Bytes(u64),
    /// It was none of the pack's.
    Nothing,
    /// Nobody wants more of this pack.
    Refused,
    Cut,
}

/// Passes one message on, once there is room for it. Loses nothing when dropped.
async fn pass(stream: &mut WebSocket, sender: &mpsc::Sender<Bytes>, most: u64) -> Passed {
    let Ok(room) = sender.reserve().await else {
        return Passed::Refused;
    };
    match stream.recv().await {
        Some(Ok(Message::Binary(bytes))) if bytes.len() as u64 <= most => {
            let count = bytes.len() as u64;
            if count > 0 {
                room.send(bytes);
            }
            Passed::Bytes(count)
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Passed::Nothing,
        // More than was announced, or something else: it cannot be told where the next pack begins.
        _ => Passed::Cut,
    }
}

async fn tell(stream: &mut WebSocket, what: &impl Serialize) -> Result<(), Cut> {
    let text = serde_json::to_string(what).map_err(|_| Cut)?;
    stream.send(text.into()).await.map_err(|_| Cut)
}

/// An answer as it travels over a socket.
async fn read(answer: Response, last: bool) -> SocketAnswer {
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), usize::MAX).await;
    let body = String::from_utf8(body.unwrap_or_default().into()).unwrap_or_default();
    SocketAnswer { status, body, last }
}

fn out_of_turn() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidRequest,
        "A pack begins with its length, as {\"length\":1234}",
    )
}
