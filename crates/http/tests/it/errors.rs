//! The table of codes, walked through the router.

use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig};
use hoist_protocol::{
    ChunkLayout, ChunkResult, CreateAnswer, ErrorBody, ErrorClass, ErrorCode, Limits, PackChunk,
};
use hoist_store::{Owner, Party, StoreConfig};
use http::request::Parts;

use crate::support::{C, Server, bytes, chunk, creates, file, pack, post};

/// Refuses with the code that the request names.
struct Says;

impl Authorize for Says {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let wanted = parts.uri.query().unwrap_or_default();
        let code = ErrorCode::ALL.iter().find(|code| code.as_str() == wanted);
        Err(ApiError::new(*code.unwrap(), "why"))
    }
}

#[tokio::test]
async fn every_code_has_its_status_and_its_waiting_time() {
    let config = HttpConfig {
        authorize: Authorizer::new(Says),
        ..HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    for &code in ErrorCode::ALL {
        let answer = server.get(&format!("/limits?{code}")).await;
        assert_eq!(answer.error(), (code.status(), code));
        let body: ErrorBody = answer.json();
        assert_eq!(body.message, "why");
        let waits = code.class() == ErrorClass::Wait;
        assert_eq!(body.retry_after_ms.is_some(), waits, "{code}");
        assert_eq!(answer.header("retry-after").is_some(), waits, "{code}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
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

#[tokio::test]
async fn the_stores_refusals_reach_the_client_under_their_codes() {
    let limits = Limits {
        file_size: 4 * C,
        types: vec![".txt".to_owned()],
        unfinished: 2,
        ..Limits::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    let server = Server::with(HttpConfig::default(), store.clone());
    let config = HttpConfig {
        authorize: Authorizer::new(Poor),
        ..HttpConfig::default()
    };
    let poor = Server::with(config, store);
    let refused = async |server: &Server, name: &str, size| match server
        .create_all(vec![file(name, size)])
        .await
        .remove(0)
    {
        CreateAnswer::Refused(body) => body.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&server, "a.txt", 4 * C + 1).await,
        ErrorCode::TooLarge
    );
    assert_eq!(
        refused(&server, "a.exe", 1).await,
        ErrorCode::TypeNotAllowed
    );
    assert_eq!(refused(&server, "..", 1).await, ErrorCode::NameNotAllowed);
    assert_eq!(refused(&poor, "a.txt", 11).await, ErrorCode::QuotaExceeded);

    let content = bytes(3 * C);
    let layout = ChunkLayout::new(3 * C, C).unwrap();
    let id = server.create("a.txt", 3 * C).await.id;
    server.create("b.txt", 1).await;
    assert_eq!(refused(&server, "c.txt", 1).await, ErrorCode::TooMany);

    let good = chunk(id, layout, 0, &content);
    server.pack(std::slice::from_ref(&good)).await;
    let damaged = vec![0; C as usize];
    let unproven = PackChunk {
        checksum: None,
        ..good.0.clone()
    };
    let wrong = |index, length| PackChunk {
        index,
        length,
        checksum: None,
        ..good.0.clone()
    };
    let answer = server
        .pack(&[
            (good.0.clone(), &damaged),
            (unproven, &damaged),
            (wrong(3, 4), b"what"),
            (wrong(1, 4), b"what"),
            chunk(id, layout, 1, &content),
        ])
        .await;
    let codes: Vec<_> = answer
        .results
        .iter()
        .map(|result| match result {
            ChunkResult::Acknowledged => None,
            ChunkResult::Refused(body) => Some(body.code),
        })
        .collect();
    assert_eq!(
        codes,
        [
            Some(ErrorCode::ChecksumMismatch),
            Some(ErrorCode::ChunkConflict),
            Some(ErrorCode::InvalidRequest),
            Some(ErrorCode::InvalidRequest),
            None,
        ]
    );

    server.pass(8 * 24 * 3600 * 1000);
    let late = server
        .send(post(
            "/packs",
            pack("s", 0, &[chunk(id, layout, 2, &content)]),
        ))
        .await;
    let late: hoist_protocol::PackResponse = late.json();
    let ChunkResult::Refused(body) = &late.results[0] else {
        panic!("{late:?}")
    };
    assert!(matches!(
        body.code,
        ErrorCode::Expired | ErrorCode::NotFound
    ));

    server.store.close().await.unwrap();
    let closed = server.post("/uploads", &creates(vec![])).await;
    assert_eq!(closed.error(), (503, ErrorCode::Unavailable));
}
