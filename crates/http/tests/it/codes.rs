//! Every code of the table in `PROTOCOL.md`, provoked over a real socket.

use std::collections::BTreeMap;

use hoist_axum::{
    Access, ApiError, Authorize, Authorizer, CookieConfig, CookieKey, CookieVisitors, HttpConfig,
    PasswordConfig, Passwords, ServeConfig, Shared,
};
use hoist_protocol::{ChunkLayout, ErrorBody, ErrorClass, ErrorCode, Limits, UploadId};
use hoist_store::{Owner, Party, StoreConfig};
use http::request::Parts;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{
    running::{Running, answer, start_on},
    support::{C, Server, bytes, chunk, creates, file, pack},
};

/// The table on the page: of each code its class and its status.
fn table() -> BTreeMap<String, (String, u16)> {
    let page = include_str!("../../../../PROTOCOL.md");
    let (_, rest) = page
        .split_once("| class | codes (status) | the client |\n")
        .unwrap();
    let mut table = BTreeMap::new();
    for line in rest
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        for entry in cells[2].split(" · ") {
            let (code, status) = entry.split_once(' ').unwrap();
            let row = (cells[1].to_owned(), status.parse().unwrap());
            table.insert(code.trim_matches('`').to_owned(), row);
        }
    }
    table
}

fn class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Refused => "refused",
        ErrorClass::SignIn => "sign in",
        ErrorClass::Gone => "gone",
        ErrorClass::Resync => "resync",
        ErrorClass::Wait => "wait",
        ErrorClass::Full => "full",
    }
}

/// What was met on the way, checked against the table.
struct Met {
    table: BTreeMap<String, (String, u16)>,
    /// Of each code whether it was the answer to a whole request.
    codes: BTreeMap<&'static str, bool>,
}

impl Met {
    /// The answer to a whole request.
    fn whole(&mut self, expected: ErrorCode, (status, head, body): &(u16, String, Value)) {
        let wanted = match expected {
            // The one status that the table does not name: a wrong method.
            ErrorCode::NotSupported => 405,
            other => self.table[other.as_str()].1,
        };
        assert_eq!(*status, wanted, "{body}");
        assert!(
            head.contains("\r\ncontent-type: application/json\r\n"),
            "{head}"
        );
        let error = self.body(expected, body, true);
        let seconds = head
            .lines()
            .find_map(|line| line.strip_prefix("retry-after: "))
            .map(|seconds| seconds.parse().unwrap());
        assert_eq!(
            error.retry_after_ms.map(|ms| ms.div_ceil(1000)),
            seconds,
            "{head}"
        );
        let first = error.message.chars().next().unwrap();
        assert!(first.is_uppercase(), "a sentence: {}", error.message);
    }

    /// A refusal inside an answer that as a whole is 200.
    fn inside(&mut self, expected: ErrorCode, (status, _, body): &(u16, String, Value)) {
        assert_eq!(*status, 200, "{body}");
        let lists = ["results", "answers", "uploads"];
        let list = lists.iter().find_map(|name| body[name].as_array()).unwrap();
        self.body(expected, list.last().unwrap(), false);
    }

    fn body(&mut self, expected: ErrorCode, body: &Value, is_whole: bool) -> ErrorBody {
        let error: ErrorBody = serde_json::from_value(body.clone())
            .unwrap_or_else(|_| panic!("{expected}, and not {body}"));
        assert_eq!(error.code, expected, "{}", error.message);
        assert_eq!(class(expected.class()), self.table[expected.as_str()].0);
        let waits = expected.class() == ErrorClass::Wait;
        assert_eq!(
            error.retry_after_ms.is_some_and(|ms| ms > 0),
            waits,
            "{expected}"
        );
        assert_eq!(error.retry_after_ms.is_some(), waits, "{expected}");
        let words = error.message.split_whitespace().count();
        assert!(words >= 3, "words for a person: {:?}", error.message);
        assert!(
            !error.message.contains(['/', '\\', '{']),
            "{}",
            error.message
        );
        *self.codes.entry(expected.as_str()).or_default() |= is_whole;
        error
    }
}

/// One request on a connection of its own; `path` is what follows the host.
async fn ask(
    running: &Running,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (u16, String, Value) {
    let mut stream = running.connect().await;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n",
        running.addr,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // An early refusal may come before all of it is sent.
    let _ = stream.write_all(body).await;
    let (status, head, body) = answer(&mut stream).await;
    (
        status,
        head,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

async fn post(running: &Running, path: &str, body: &[u8]) -> (u16, String, Value) {
    ask(running, "POST", &format!("/hoist{path}"), "", body).await
}

async fn create(running: &Running, name: &str, size: u64) -> (u16, String, Value) {
    let request = serde_json::to_vec(&creates(vec![file(name, size)])).unwrap();
    post(running, "/uploads", &request).await
}

/// A form with one file, whose refusal is the answer to all of it.
async fn form(running: &Running, name: &str, bytes: &[u8]) -> (u16, String, Value) {
    let mut body =
        format!("--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n")
            .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--B--\r\n");
    let headers = "Content-Type: multipart/form-data; boundary=B\r\n";
    ask(running, "POST", "/hoist/form", headers, &body).await
}

fn id(created: &(u16, String, Value)) -> UploadId {
    created.2["answers"][0]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn serve(server: Server) -> Running {
    start_on(server, ServeConfig::default()).await
}

/// Has a quota of ten bytes.
struct Poor;

impl Authorize for Poor {
    async fn authorize(&self, _: &Parts) -> Result<Access, ApiError> {
        Ok(Access::full(Party {
            quota: Some(10),
            ..Party::known(Owner::shared())
        }))
    }
}

fn http(authorize: Authorizer) -> HttpConfig {
    HttpConfig {
        authorize,
        ..HttpConfig::default()
    }
}

#[tokio::test]
async fn every_code_of_the_table_can_be_met_and_is_what_the_table_says() {
    let mut met = Met {
        table: table(),
        codes: BTreeMap::new(),
    };
    files_and_requests(&mut met).await;
    chunks(&mut met).await;
    space(&mut met).await;
    visitors(&mut met).await;
    server_states(&mut met).await;
    let codes: Vec<_> = met.codes.keys().copied().collect();
    let mut all: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    all.sort_unstable();
    assert_eq!(codes, all);
    assert_eq!(
        met.table.keys().map(String::as_str).collect::<Vec<_>>(),
        all
    );
    // These are about one upload or chunk of many, and never about the whole request.
    let inside: Vec<_> = met
        .codes
        .iter()
        .filter(|(_, whole)| !**whole)
        .map(|(code, _)| *code)
        .collect();
    assert_eq!(
        inside,
        [
            "checksum_mismatch",
            "chunk_conflict",
            "expired",
            "in_flight"
        ]
    );
}

async fn files_and_requests(met: &mut Met) {
    let limits = Limits {
        file_size: 4 * C,
        min_file_size: 2,
        types: vec![".txt".to_owned()],
        batch: 3,
        unfinished: 1,
        ..Limits::default()
    };
    let config = HttpConfig {
        json_size: 10_000,
        ..HttpConfig::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    let running = &serve(Server::with(config, store)).await;
    met.whole(
        ErrorCode::InvalidRequest,
        &post(running, "/uploads", b"{").await,
    );
    let origin = "Origin: http://evil.example\r\n";
    met.whole(
        ErrorCode::Forbidden,
        &ask(running, "POST", "/hoist/uploads", origin, b"{}").await,
    );
    met.whole(
        ErrorCode::TooLarge,
        &post(running, "/uploads", &[b' '; 10_001]).await,
    );
    let many = creates((0..4).map(|n| file(&format!("{n}.txt"), 5)).collect());
    met.whole(
        ErrorCode::TooMany,
        &post(running, "/uploads", &serde_json::to_vec(&many).unwrap()).await,
    );
    for (name, size, code) in [
        ("a.txt", 4 * C + 1, ErrorCode::TooLarge),
        ("a.txt", 1, ErrorCode::TooLarge),
        ("a.exe", 5, ErrorCode::TypeNotAllowed),
        ("..", 5, ErrorCode::NameNotAllowed),
    ] {
        met.inside(code, &create(running, name, size).await);
    }
    met.whole(
        ErrorCode::TooLarge,
        &form(running, "a.txt", &bytes(4 * C + 1)).await,
    );
    met.whole(ErrorCode::TooLarge, &form(running, "a.txt", b"1").await);
    met.whole(
        ErrorCode::TypeNotAllowed,
        &form(running, "a.exe", b"hello").await,
    );
    met.whole(
        ErrorCode::NameNotAllowed,
        &form(running, "x/..", b"hello").await,
    );
    assert_eq!(
        create(running, "a.txt", 5).await.2["answers"][0]["answer"],
        "needed"
    );
    met.inside(ErrorCode::TooMany, &create(running, "b.txt", 5).await);
    met.whole(
        ErrorCode::NotSupported,
        &ask(running, "PUT", "/hoist/uploads", "", b"").await,
    );
    let file = "/hoist/files/00000000000000000000000000000000/a";
    met.whole(
        ErrorCode::NotFound,
        &ask(running, "GET", file, "", b"").await,
    );
    met.whole(
        ErrorCode::NotFound,
        &ask(running, "GET", "/hoist/nothing", "", b"").await,
    );
}

async fn chunks(met: &mut Met) {
    let running = &serve(Server::memory()).await;
    let (content, layout) = (bytes(2 * C), ChunkLayout::new(2 * C, C).unwrap());
    let id = id(&create(running, "a", 2 * C).await);
    let good = chunk(id, layout, 0, &content);
    let damaged = vec![9; C as usize];
    let body = pack("s", 0, &[(good.0.clone(), &damaged)]);
    met.inside(
        ErrorCode::ChecksumMismatch,
        &post(running, "/packs", &body).await,
    );
    let body = pack("s", 0, std::slice::from_ref(&good));
    // Held by one who has not sent its last byte.
    let mut slow = running.begin_pack(&body, body.len() - 1).await;
    running.taken(2 * C - 1).await;
    let other = pack("t", 0, std::slice::from_ref(&good));
    met.inside(ErrorCode::InFlight, &post(running, "/packs", &other).await);
    slow.write_all(&body[body.len() - 1..]).await.unwrap();
    assert_eq!(answer(&mut slow).await.0, 200);
    let mut unproven = good.0.clone();
    unproven.checksum = None;
    let body = pack("s", 0, &[(unproven, &damaged)]);
    met.inside(
        ErrorCode::ChunkConflict,
        &post(running, "/packs", &body).await,
    );
    running.server.pass(8 * 24 * 3_600_000);
    let status = serde_json::to_vec(&json!({"ids": [id]})).unwrap();
    met.inside(
        ErrorCode::Expired,
        &post(running, "/uploads/status", &status).await,
    );
    let body = pack("s", 1, &[chunk(id, layout, 1, &content)]);
    met.inside(ErrorCode::Expired, &post(running, "/packs", &body).await);
}

async fn space(met: &mut Met) {
    let full = StoreConfig {
        keep_free: u64::MAX,
        ..StoreConfig::default()
    };
    let full = &serve(Server::on_disk(HttpConfig::default(), full).await).await;
    met.inside(ErrorCode::StorageFull, &create(full, "a", 1).await);
    met.whole(ErrorCode::StorageFull, &form(full, "a", b"1").await);
    let poor = &serve(Server::with(
        http(Authorizer::new(Poor)),
        StoreConfig::default(),
    ))
    .await;
    met.inside(ErrorCode::QuotaExceeded, &create(poor, "a", 11).await);
    met.whole(
        ErrorCode::QuotaExceeded,
        &form(poor, "a", b"12345678901").await,
    );
}

async fn visitors(met: &mut Met) {
    let key = || CookieKey::from_bytes([7; 32]);
    let visitors = CookieVisitors::new(key(), CookieConfig::default());
    let known = &serve(Server::with(
        http(Authorizer::new(visitors)),
        StoreConfig::default(),
    ))
    .await;
    let forged = "Cookie: hoist_visitor=x\r\n";
    met.whole(
        ErrorCode::VisitorUnknown,
        &ask(known, "GET", "/hoist/uploads", forged, b"").await,
    );
    met.whole(
        ErrorCode::Forbidden,
        &ask(known, "GET", "/hoist/uploads", "", b"").await,
    );
    let inside = Authorizer::new(Shared);
    let passwords = Passwords::new("right", key(), inside, PasswordConfig::default());
    let config = http(Authorizer::new(passwords.clone()));
    let mut server = Server::with(config, StoreConfig::default());
    server.router = passwords.protect(server.router);
    let closed = &serve(server).await;
    met.whole(
        ErrorCode::Unauthorized,
        &post(closed, "/uploads", b"{}").await,
    );
    let mut guesses = 0;
    let refused = loop {
        let refused = ask(closed, "POST", "/sign-in", "", b"password=wrong").await;
        guesses += 1;
        if refused.0 != 401 || guesses > 100 {
            break refused;
        }
        met.whole(ErrorCode::Unauthorized, &refused);
    };
    met.whole(ErrorCode::RateLimited, &refused);
}

async fn server_states(met: &mut Met) {
    let config = HttpConfig {
        transfers: 0,
        ..HttpConfig::default()
    };
    let busy = &serve(Server::with(config, StoreConfig::default())).await;
    met.whole(
        ErrorCode::Unavailable,
        &post(busy, "/packs", &pack("s", 0, &[])).await,
    );
    busy.server.store.close().await.unwrap();
    met.whole(ErrorCode::Unavailable, &create(busy, "a", 1).await);
    let running = &serve(Server::disk(HttpConfig::default()).await).await;
    running.server.break_disk();
    met.whole(ErrorCode::Internal, &form(running, "a", b"hello").await);
}
