//! Servers, requests and answers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use hoist_axum::{Clock, HttpConfig};
use hoist_protocol::{
    ByteRange, ChunkLayout, CreateAnswer, CreateRequest, CreateResponse, ErrorBody, ErrorCode,
    MIN_CHUNK_SIZE, Millis, Needed, NewFile, PackChunk, PackManifest, PackResponse, Receipt,
    Sender, StatusRequest, StatusResponse, UploadId, UploadStatus, chunk_checksum,
};
use hoist_store::{Store, StoreConfig};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt as _;

/// The chunk size of most tests.
pub(crate) const C: u64 = MIN_CHUNK_SIZE;

/// A router with its store and its time.
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) store: Store,
    now: Arc<AtomicU64>,
    folder: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) fn memory() -> Self {
        Self::with(HttpConfig::default(), StoreConfig::default())
    }

    pub(crate) fn with(http: HttpConfig, store: StoreConfig) -> Self {
        Self::over(Store::memory(store), http, None)
    }

    pub(crate) async fn disk(http: HttpConfig) -> Self {
        let config = StoreConfig {
            keep_free: 0,
            ..StoreConfig::default()
        };
        Self::on_disk(http, config).await
    }

    pub(crate) async fn on_disk(http: HttpConfig, config: StoreConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), config, Millis(1)).await.unwrap();
        Self::over(store, http, Some(folder))
    }

    /// Both kinds of store, for what must not depend on it.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::memory(), Self::disk(HttpConfig::default()).await]
    }

    fn over(store: Store, http: HttpConfig, folder: Option<tempfile::TempDir>) -> Self {
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let config = HttpConfig {
            clock: Clock::new(move || Millis(clock.load(Ordering::Relaxed))),
            ..http
        };
        // Nested, as everybody mounts it.
        let router = Router::new()
            .nest("/hoist", hoist_axum::router(store.clone(), config.clone()))
            .nest("/server.php", hoist_axum::classic(store.clone(), config));
        Self {
            router,
            store,
            now,
            folder,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// Finished files as they lie on disk, by name.
    pub(crate) fn stored(&self, stored_as: &str) -> Vec<u8> {
        let folder = self.folder.as_ref().unwrap().path();
        std::fs::read(folder.join("files").join(stored_as)).unwrap()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Takes the disk away under the store: where bytes would arrive is a file.
    pub(crate) fn break_disk(&self) {
        let incoming = self.folder.as_ref().unwrap().path().join("incoming");
        if incoming.exists() {
            std::fs::remove_dir_all(&incoming).unwrap();
        }
        std::fs::write(incoming, b"no folder").unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send(post(path, serde_json::to_vec(body).unwrap()))
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    pub(crate) async fn create_all(&self, files: Vec<NewFile>) -> Vec<CreateAnswer> {
        let answer = self.post("/uploads", &creates(files)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json::<CreateResponse>().answers
    }

    pub(crate) async fn create(&self, name: &str, size: u64) -> Needed {
        match self.create_all(vec![file(name, size)]).await.remove(0) {
            CreateAnswer::Needed(needed) => needed,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn pack(&self, chunks: &[(PackChunk, &[u8])]) -> PackResponse {
        let answer = self.send(post("/packs", pack("s", 0, chunks))).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// Creates and sends a whole file in one pack.
    pub(crate) async fn upload(&self, new: NewFile, bytes: &[u8]) -> Receipt {
        let layout = ChunkLayout::new(bytes.len() as u64, C).unwrap();
        let needed = match self.create_all(vec![new]).await.remove(0) {
            CreateAnswer::Needed(needed) => needed,
            CreateAnswer::Present { receipt } => return receipt,
            other => panic!("{other:?}"),
        };
        let chunks: Vec<_> = (0..layout.count())
            .map(|index| chunk(needed.id, layout, index, bytes))
            .collect();
        self.pack(&chunks).await.receipts.remove(0)
    }

    pub(crate) async fn status(&self, id: UploadId) -> UploadStatus {
        let request = StatusRequest {
            ids: vec![id],
            checksums: None,
        };
        let answer = self.post("/uploads/status", &request).await;
        answer.json::<StatusResponse>().uploads.remove(0)
    }

    pub(crate) async fn received(&self, id: UploadId) -> Vec<ByteRange> {
        match self.status(id).await {
            UploadStatus::Unfinished(upload) => upload.received,
            other => panic!("{other:?}"),
        }
    }
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The error it is, under the status it has.
    pub(crate) fn error(&self) -> (u16, ErrorCode) {
        (self.status.as_u16(), self.json::<ErrorBody>().code)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/hoist{path}"))
        .header("host", "hoist.example")
        .body(body.into())
        .unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, path, body)
}

pub(crate) fn file(name: &str, size: u64) -> NewFile {
    NewFile {
        name: name.to_owned(),
        size: Some(size),
        last_modified: Some(1),
        chunk_size: Some(C),
        ..NewFile::default()
    }
}

pub(crate) fn creates(files: Vec<NewFile>) -> CreateRequest {
    CreateRequest {
        sender: Sender::new("s").unwrap(),
        files,
    }
}

/// Bytes that differ from chunk to chunk.
pub(crate) fn bytes(size: u64) -> Vec<u8> {
    (0..size).map(|i| (i % 251 + i / C) as u8).collect()
}

/// One chunk of a file with its checksum.
pub(crate) fn chunk(
    upload: UploadId,
    layout: ChunkLayout,
    index: u32,
    file: &[u8],
) -> (PackChunk, &[u8]) {
    let range = layout.range(index).unwrap();
    let part = &file[range.start as usize..range.end as usize];
    let chunk = PackChunk {
        upload,
        index,
        length: range.len(),
        checksum: Some(chunk_checksum(layout, index, part).unwrap()),
        last: false,
    };
    (chunk, part)
}

/// The body of a pack.
pub(crate) fn pack(sender: &str, attempt: u32, chunks: &[(PackChunk, &[u8])]) -> Vec<u8> {
    let manifest = PackManifest {
        sender: Sender::new(sender).unwrap(),
        attempt,
        chunks: chunks.iter().map(|(chunk, _)| chunk.clone()).collect(),
    };
    let mut body = framed(&serde_json::to_vec(&manifest).unwrap());
    for (_, bytes) in chunks {
        body.extend_from_slice(bytes);
    }
    body
}

/// A manifest behind its length.
pub(crate) fn framed(manifest: &[u8]) -> Vec<u8> {
    let mut body = (manifest.len() as u32).to_be_bytes().to_vec();
    body.extend_from_slice(manifest);
    body
}

/// A body in frames of its own, without an announced length.
pub(crate) fn frames(frames: Vec<Vec<u8>>) -> Body {
    Body::from_stream(futures_util::stream::iter(
        frames
            .into_iter()
            .map(|frame| Ok::<_, std::io::Error>(Bytes::from(frame))),
    ))
}
