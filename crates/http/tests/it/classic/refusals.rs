//! What is refused, and what passes by itself.

use axum::body::Body;
use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig};
use hoist_protocol::{ErrorCode, Limits, ListCounts, UploadStatus};
use hoist_store::{Party, StoreConfig};
use http::{Request, request::Parts};
use serde_json::json;

use super::{call, init, list, named, part, request, said, shared};
use crate::support::{Server, frames};

/// Has a quota of 100 bytes.
struct Poor;

impl Authorize for Poor {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        if parts.headers.contains_key("x-stranger") {
            return Err(ApiError::new(ErrorCode::Unauthorized, "Please sign in"));
        }
        Ok(Access::full(Party {
            quota: Some(100),
            ..shared()
        }))
    }
}

fn strict() -> Server {
    let limits = Limits {
        file_size: 200,
        min_file_size: 2,
        types: vec![".txt".to_owned()],
        batch: 2,
        ..Limits::default()
    };
    let http = HttpConfig {
        authorize: Authorizer::new(Poor),
        json_size: 1000,
        ..HttpConfig::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    Server::with(http, store)
}

#[tokio::test]
async fn refusals_are_a_number_and_words_under_200() {
    let server = strict();
    let upload = |file: &str, start: &str, length: &str| {
        format!("?action=upload&part=0&start={start}&length={length}&{file}")
    };
    let good = named("a.txt", 5, 1);
    for (address, body, number, code) in [
        ("".to_owned(), "", 400, "invalid_request"),
        ("?action=format".to_owned(), "", 400, "invalid_request"),
        ("?action=init".to_owned(), "", 400, "invalid_request"),
        ("?action=init".to_owned(), "{}", 400, "invalid_request"),
        (
            "?action=init".to_owned(),
            "[{\"name\":\"a\"}]",
            400,
            "invalid_request",
        ),
        ("?action=init".to_owned(), "data=[", 400, "invalid_request"),
        (
            "?action=init".to_owned(),
            "data[0][name]=a",
            400,
            "invalid_request",
        ),
        ("?action=delete".to_owned(), "", 400, "invalid_request"),
        (
            "?action=delete&name=a&size=1".to_owned(),
            "",
            400,
            "invalid_request",
        ),
        (upload(&good, "x", "5"), "hello", 400, "invalid_request"),
        (upload(&good, "1", "5"), "hello", 400, "invalid_request"),
        (upload(&good, "0", "4"), "hello", 400, "invalid_request"),
        (upload(&good, "0", "5"), "hell", 400, "invalid_request"),
        (
            upload(&named("a.txt", 1, 1), "0", "1"),
            "h",
            413,
            "too_large",
        ),
        (
            upload(&named("a.txt", 201, 1), "0", "5"),
            "hello",
            413,
            "too_large",
        ),
        (
            upload(&named("a.exe", 5, 1), "0", "5"),
            "hello",
            415,
            "type_not_allowed",
        ),
        (
            upload(&named("..%2Fa.txt", 5, 1), "0", "5"),
            "hello",
            422,
            "name_not_allowed",
        ),
        (
            upload(&named("a.txt", 101, 1), "0", "5"),
            "hello",
            507,
            "quota_exceeded",
        ),
    ] {
        let answer = call(&server, &address, body).await;
        assert_eq!(
            said(&answer),
            (200, number, code.to_owned()),
            "{address} {body}"
        );
    }
    let three = r#"[{"name":"a","size":1,"lastModified":1},{"name":"a","size":1,"lastModified":1},{"name":"a","size":1,"lastModified":1}]"#;
    let brackets = "0[name]=a&1[name]=a&2[name]=a";
    for long in [three, brackets] {
        let answer = call(&server, "?action=init", long).await;
        assert_eq!(said(&answer), (200, 413, "too_many".to_owned()));
    }
    let large = call(&server, "?action=init", vec![b' '; 1001]).await;
    assert_eq!(said(&large), (200, 413, "too_large".to_owned()));
    // A restriction is no reason for `init` to fail: the words come where the file is sent.
    assert_eq!(
        init(&server, "", &[("a.exe", 5, 1), ("..", 5, 1)]).await,
        json!([true, true])
    );
    for foreign in [
        ("origin", "http://evil.example", 403, "forbidden"),
        ("x-stranger", "1", 401, "unauthorized"),
    ] {
        let (name, value, number, code) = foreign;
        let mut request = request(&upload(&good, "0", "5"), "hello");
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = server.send(request).await;
        assert_eq!(said(&answer), (200, number, code.to_owned()));
    }
    let get = Request::get("/server.php?action=init")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        said(&server.send(get).await),
        (200, 405, "not_supported".to_owned())
    );
    assert_eq!(said(&call(&server, "/a/b?action=init", "[]").await).1, 404);
    assert_eq!(list(&server, &shared()).await.counts, ListCounts::default());
    assert_eq!(
        said(&call(&server, &upload(&good, "0", "5"), "hello").await).1,
        0
    );
}

#[tokio::test]
async fn what_passes_by_itself_has_its_status_so_that_the_client_tries_again() {
    let http = HttpConfig {
        transfers: 0,
        ..HttpConfig::default()
    };
    let server = Server::with(http, StoreConfig::default());
    let full = part(&server, "", &named("a", 1, 1), 0, b"a").await;
    assert_eq!(said(&full), (503, 503, "unavailable".to_owned()));
    assert!(full.header("retry-after").is_some());
    server.store.close().await.unwrap();
    let closed = call(
        &server,
        "?action=init",
        r#"[{"name":"a","size":1,"lastModified":1}]"#,
    )
    .await;
    assert_eq!(said(&closed), (503, 503, "unavailable".to_owned()));
}

#[tokio::test]
async fn a_body_without_a_length_is_held_to_what_the_address_says() {
    let server = Server::memory();
    let address = format!("?action=upload&start=0&length=4&{}", named("a", 8, 1));
    for (body, number) in [
        (vec![b"ab".to_vec(), b"c".to_vec()], 400),
        (vec![b"ab".to_vec(), b"cde".to_vec()], 413),
        (vec![b"ab".to_vec(), b"cd".to_vec()], 0),
    ] {
        assert_eq!(said(&call(&server, &address, frames(body)).await).1, number);
        let list = list(&server, &shared()).await;
        let [UploadStatus::Unfinished(upload)] = &list.uploads[..] else {
            panic!("{list:?}")
        };
        assert_eq!(upload.received.is_empty(), number != 0);
    }
}
