//! A server on a real socket, and a client that sees every byte.

use std::{future::Future, net::SocketAddr, time::Duration};

use hoist_axum::{HttpConfig, ServeConfig, serve};
use hoist_protocol::{ChunkLayout, ErrorBody, ErrorCode, UploadId};
use hoist_store::StoreConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::support::{C, Server, bytes};

/// Longer than anything here takes; a test that reaches it has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) serving: JoinHandle<()>,
}

pub(crate) async fn start(http: HttpConfig, config: ServeConfig) -> Running {
    start_on(Server::with(http, StoreConfig::default()), config).await
}

/// Serves what is there already.
pub(crate) async fn start_on(server: Server, config: ServeConfig) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = server.router.clone();
    let serving = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        serve(listener, router, config, stopped).await.unwrap();
    });
    Running {
        server,
        addr,
        stop: Some(stop),
        serving,
    }
}

pub(crate) async fn start_default() -> Running {
    start(HttpConfig::default(), ServeConfig::default()).await
}

impl Running {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends the head of a pack and the first `sent` bytes of its body.
    pub(crate) async fn begin_pack(&self, body: &[u8], sent: usize) -> TcpStream {
        let mut stream = self.connect().await;
        let head = format!(
            "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            self.addr,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body[..sent]).await.unwrap();
        stream
    }

    /// Waits until the store has taken so many bytes.
    pub(crate) async fn taken(&self, bytes: u64) {
        let taken = async || self.server.store.received_bytes() >= bytes;
        until("the bytes are taken", taken).await;
    }

    /// A file of two chunks that was created, and its content.
    pub(crate) async fn two_chunks(&self) -> (UploadId, ChunkLayout, Vec<u8>) {
        let id = self.server.create("a", 2 * C).await.id;
        (id, ChunkLayout::new(2 * C, C).unwrap(), bytes(2 * C))
    }
}

/// Asks again until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asking = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(LONG, asking).await.is_ok(), "not in time: {what}");
}

/// Reads one answer: its status and its body, as long as its head says.
pub(crate) async fn answer(stream: &mut TcpStream) -> (u16, String, Vec<u8>) {
    let reading = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        (head[9..12].parse().unwrap(), head, body)
    };
    timeout(LONG, reading).await.expect("an answer")
}

pub(crate) fn code(body: &[u8]) -> ErrorCode {
    serde_json::from_slice::<ErrorBody>(body).unwrap().code
}

/// Reads until the other side closes or resets.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    assert!(timeout(LONG, reading).await.is_ok(), "it stays open");
}
