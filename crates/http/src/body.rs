//! Reading a body: counted, limited, never waiting for ever, and drained after a refusal.

use std::{future::pending, mem, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use hoist_protocol::ErrorCode;
use http::{header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{
    ApiError,
    held::{Coming, Held},
    router::Core,
    shares::Who,
    transfers::{Pulse, Transfer, gave_way},
};

/// Reads a body frame by frame; holds at most one frame.
///
/// Whoever drops it before the end of the body has refused the request early. A bounded part of
/// what follows is then read and thrown away beside the answer: closing the connection over unread
/// bytes sends a reset, which can overtake the answer (tokio-rs/axum#2168).
#[derive(Debug)]
pub(crate) struct BodyReader {
    body: Body,
    announced: Option<u64>,
    /// The part of the last frame that nobody has taken yet.
    rest: Bytes,
    limit: u64,
    /// Bytes of it that may still come.
    left: u64,
    idle: Duration,
    who: Who,
    /// Who may need its place.
    pulse: Option<Arc<Pulse>>,
    /// Who may need the room of what is being held.
    room: Option<Arc<Pulse>>,
    /// Nothing more will come: the end was reached, or the connection is gone.
    is_over: bool,
    /// The client waits for `100 Continue` and has sent nothing yet.
    is_held_back: bool,
    drain_size: u64,
    drain_time: Duration,
}

impl BodyReader {
    /// Reads at most `limit` bytes.
    pub(crate) fn new(core: &Core, parts: &Parts, body: Body, limit: u64) -> Self {
        Self {
            is_over: body.is_end_stream(),
            announced: body.size_hint().exact(),
            is_held_back: parts.headers.contains_key(header::EXPECT),
            body,
            rest: Bytes::new(),
            limit,
            left: limit,
            idle: Duration::from_millis(core.config.body_idle_ms),
            who: Who::of(parts),
            pulse: None,
            room: None,
            drain_size: core.config.drain_size,
            drain_time: Duration::from_millis(core.config.drain_ms),
        }
    }

    /// Reads and throws away all of what follows a refusal, as long as bytes come: a browser that sends
    /// a form shows no answer before it has sent all of it.
    pub(crate) fn drains_all(&mut self) {
        self.drain_size = u64::MAX;
        self.drain_time = Duration::MAX;
    }

    /// Says how it moves, and ends when another one needs the place more.
    pub(crate) fn keep_up(&mut self, transfer: &Transfer) {
        self.pulse = Some(Arc::clone(&transfer.pulse));
    }

    /// How long the client said the whole body is, if it said.
    pub(crate) const fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Refuses a body that says it will be longer than the limit, before reading it.
    pub(crate) fn check_announced(&self) -> Result<(), ApiError> {
        match self.announced {
            Some(length) if length > self.limit => Err(too_large(self.limit)),
            _ => Ok(()),
        }
    }

    /// The next bytes, at most `max` and never none; `None` at the end of the body.
    pub(crate) async fn next(&mut self, max: u64) -> Result<Option<Bytes>, ApiError> {
        while self.rest.is_empty() {
            if self.is_over {
                return Ok(None);
            }
            let Some(bytes) = self.frame().await? else {
                return Ok(None);
            };
            self.rest = bytes;
        }
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Ok(Some(if self.rest.len() <= max {
            mem::take(&mut self.rest)
        } else {
            self.rest.split_to(max)
        }))
    }

    /// The next frame of data as it came, `None` at the end.
    async fn frame(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.is_held_back = false;
        let mut pulses = [&self.pulse, &self.room].into_iter().flatten();
        if pulses.any(|pulse| pulse.is_over()) {
            self.is_over = true;
            return Err(gave_way());
        }
        let frame = tokio::select! {
            biased;
            frame = timeout(self.idle, self.body.frame()) => Some(frame),
            () = over(self.pulse.as_deref()) => None,
            () = over(self.room.as_deref()) => None,
        };
        let Some(frame) = frame else {
            self.is_over = true;
            return Err(gave_way());
        };
        let Ok(frame) = frame else {
            self.is_over = true;
            return Err(ApiError::new(
                ErrorCode::Unavailable,
                "The connection stood still for too long",
            ));
        };
        match frame {
            None => {
                self.is_over = true;
                Ok(None)
            }
            Some(Err(error)) => {
                self.is_over = true;
                Err(
                    ApiError::new(ErrorCode::Unavailable, "The connection was cut")
                        .with_source(error),
                )
            }
            Some(Ok(frame)) => {
                self.is_over = self.body.is_end_stream();
                let bytes = frame.into_data().unwrap_or_default(); // trailers say nothing to us
                if let Some(pulse) = &self.pulse {
                    pulse.beat(bytes.len());
                }
                let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
                    return Err(too_large(self.limit));
                };
                self.left = left;
                Ok(Some(bytes))
            }
        }
    }

    /// Begins to hold what comes.
    fn hold(&mut self, core: &Core) -> Coming {
        let room = core.json_room(self.who.clone());
        self.room = Some(Arc::clone(&room.pulse));
        Coming::new(room)
    }

    /// Ends what [`Self::hold`] has begun.
    fn whole(&mut self, coming: Coming) -> Result<Held, ApiError> {
        self.room = None;
        coming.whole()
    }

    /// Exactly `length` bytes in one piece, with the room they take; the caller has bounded `length`.
    pub(crate) async fn exactly(&mut self, core: &Core, length: u64) -> Result<Held, ApiError> {
        let mut coming = self.hold(core);
        while coming.length() < length {
            let Some(bytes) = self.next(length - coming.length()).await? else {
                return Err(too_short());
            };
            coming.push(core, &bytes)?;
        }
        self.whole(coming)
    }

    /// What stands before the next carriage return, which is not taken; `None` if that is longer than `most`.
    pub(crate) async fn line(&mut self, core: &Core, most: u64) -> Result<Option<Held>, ApiError> {
        let mut coming = self.hold(core);
        loop {
            let bytes = self.next(u64::MAX).await?.ok_or_else(too_short)?;
            let end = bytes.iter().position(|&byte| byte == b'\r');
            let line = bytes.slice(..end.unwrap_or(bytes.len()));
            if coming.length() + line.len() as u64 > most {
                return Ok(None);
            }
            coming.push(core, &line)?;
            if let Some(end) = end {
                self.rest = bytes.slice(end..);
                return self.whole(coming).map(Some);
            }
        }
    }

    /// Throws `length` bytes away.
    pub(crate) async fn skip(&mut self, mut length: u64) -> Result<(), ApiError> {
        while length > 0 {
            let Some(bytes) = self.next(length).await? else {
                return Err(too_short());
            };
            length -= bytes.len() as u64;
        }
        Ok(())
    }

    /// Reads the whole body.
    pub(crate) async fn bytes(self, core: &Core) -> Result<Vec<u8>, ApiError> {
        self.held(core).await.map(|held| held.bytes)
    }

    /// Reads the whole body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self, core: &Core) -> Result<T, ApiError> {
        let held = self.held(core).await?;
        serde_json::from_slice(&held.bytes).map_err(|error| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                format!("The request is not the JSON that belongs here: {error}"),
            )
        })
    }
}

impl BodyReader {
    /// The whole body, with the room it takes.
    pub(crate) async fn held(mut self, core: &Core) -> Result<Held, ApiError> {
        self.check_announced()?;
        let mut coming = self.hold(core);
        while let Some(bytes) = self.next(u64::MAX).await? {
            coming.push(core, &bytes)?;
        }
        self.whole(coming)
    }
}

/// Waits until another one needs what this is the pulse of.
async fn over(pulse: Option<&Pulse>) {
    match pulse {
        Some(pulse) => pulse.over().await,
        None => pending().await,
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        if self.is_over || self.is_held_back {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut body = mem::take(&mut self.body);
        let mut left = self.drain_size;
        let idle = self.idle;
        let drain = async move {
            while let Ok(Some(Ok(frame))) = timeout(idle, body.frame()).await {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        runtime.spawn(timeout(self.drain_time, drain));
    }
}

/// The body ended before what it said would be in it.
pub(crate) fn too_short() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidRequest,
        "The request ended before its last byte",
    )
}

fn too_large(limit: u64) -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!("The request is larger than the {limit} bytes that are allowed here"),
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use futures_util::stream;
    use hoist_store::{Party, Store, StoreConfig};
    use http::Request;

    use super::*;
    use crate::HttpConfig;

    #[tokio::test]
    async fn who_has_given_way_is_not_read_on_although_more_is_always_there() {
        let config = HttpConfig {
            transfers: 2,
            ..HttpConfig::default()
        };
        let core = Core::new(Store::memory(StoreConfig::default()), config);
        let zeros = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"00")));
        let (mut parts, body) = Request::new(Body::from_stream(zeros)).into_parts();
        let mut reader = BodyReader::new(&core, &parts, body, u64::MAX);
        reader.drain_size = 0;
        let mut from = |last| {
            let peer = SocketAddr::from(([192, 0, 2, last], 1));
            parts.extensions.insert(ConnectInfo(peer));
            core.transfer(Who::new(&parts, &Party::anonymous()))
        };
        let (_first, second) = (from(1).unwrap(), from(1).unwrap());
        reader.keep_up(&second);
        assert!(reader.next(2).await.is_ok());
        let _other = from(2).unwrap();
        assert!(reader.next(2).await.is_err());
    }
}
