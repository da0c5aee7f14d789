//! A router over a store in memory, and requests made of any bytes.

use std::cell::RefCell;

use axum::{Router, body::Body};
use bytes::Bytes;
use hoist_axum::{Clock, HttpConfig};
use hoist_protocol::{CreateAnswer, MIN_CHUNK_SIZE, Millis, NewFile, UploadId};
use hoist_store::{Owner, Party, Store, StoreConfig};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// What stands for the id of an upload that is there.
const STAND_IN: &[u8] = b"00000000000000000000000000000000";

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    );
}

/// Does it on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(work))
}

/// A server with one unfinished upload of two chunks and a bit, and one finished file.
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) id: UploadId,
}

pub(crate) fn party() -> Party {
    Party::known(Owner::shared())
}

impl Server {
    pub(crate) async fn new() -> Self {
        let mut config = StoreConfig::default();
        config.limits.chunk_size = MIN_CHUNK_SIZE;
        let store = Store::memory(config);
        let http = HttpConfig {
            clock: Clock::new(|| Millis(1_700_000_000_000)),
            ..HttpConfig::default()
        };
        let now = Millis(1_700_000_000_000);
        let file = |name: &str, size| NewFile {
            name: name.to_owned(),
            size: Some(size),
            last_modified: Some(1),
            ..NewFile::default()
        };
        let files = [file("begun", 5), file("empty", 0)];
        let created = store.create(now, &party(), &files).await.unwrap();
        let CreateAnswer::Needed(needed) = &created[0] else {
            panic!("it is new")
        };
        let router = Router::new()
            .nest("/hoist", hoist_axum::router(store.clone(), http.clone()))
            .nest("/server.php", hoist_axum::classic(store.clone(), http));
        Self {
            router,
            id: needed.id,
            store,
        }
    }

    /// The same bytes with the id of the upload where the stand-in was.
    pub(crate) fn with_id(&self, data: &[u8]) -> Vec<u8> {
        let id = self.id.to_string();
        let mut data = data.to_vec();
        let mut at = 0;
        while let Some(found) = data[at..].windows(32).position(|part| part == STAND_IN) {
            data[at + found..at + found + 32].copy_from_slice(id.as_bytes());
            at += found + 32;
        }
        data
    }

    /// Sends a body cut into frames of this size; the answer, with the id taken out again.
    pub(crate) async fn send(
        &self,
        mut request: http::request::Builder,
        body: &[u8],
        frame: usize,
    ) -> (StatusCode, String) {
        let frames: Vec<_> = body
            .chunks(frame.max(1))
            .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
            .collect();
        request = request.header("host", "localhost");
        let Ok(request) = request.body(Body::from_stream(futures_util::stream::iter(frames)))
        else {
            return (StatusCode::BAD_REQUEST, String::new());
        };
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&body).replace(&self.id.to_string(), "ID");
        assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        let is_error = parts.status.is_client_error() || parts.status.is_server_error();
        if is_error && !text.is_empty() {
            let json: serde_json::Value = serde_json::from_str(&text).expect("errors are JSON");
            assert!(json["code"].is_string(), "{text}");
        }
        for name in parts.headers.keys() {
            assert!(
                !name.as_str().contains("injected"),
                "a header came out of a name"
            );
        }
        (parts.status, text)
    }
}

/// A builder of a request.
pub(crate) fn post(path: &str) -> http::request::Builder {
    Request::post(path)
}
