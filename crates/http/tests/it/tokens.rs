//! Tokens: one upload, some rights, some bytes, some time, and no cookie.

use axum::body::Body;
use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig, Rights};
use hoist_protocol::{
    ChunkLayout, ChunkResult, CreateAnswer, CreateResponse, DeleteRequest, DeleteResponse,
    DeleteResult, ErrorCode, PackResponse, RevokeResponse, StatusRequest, StatusResponse,
    TokenResponse, UploadId, UploadStatus,
};
use hoist_store::{Owner, Party, StoreConfig};
use http::{Method, Request, StatusCode, request::Parts};
use serde_json::json;

use crate::{
    support::{Answer, C, Server, bytes, chunk, creates, file, pack, post, request},
    table::UNKNOWN,
    visitors::{server, visit},
};

pub(crate) fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// A request by somebody who has nothing but this token.
pub(crate) fn bearing(token: &str, request: Request<Body>) -> Request<Body> {
    with(request, "authorization", &format!("Bearer {token}"))
}

pub(crate) async fn create(server: &Server, owner: &str, name: &str) -> UploadId {
    let body = serde_json::to_vec(&creates(vec![file(name, 2 * C)])).unwrap();
    let created = server
        .send(with(post("/uploads", body), "cookie", owner))
        .await;
    match created.json::<CreateResponse>().answers.remove(0) {
        CreateAnswer::Needed(needed) => needed.id,
        other => panic!("{other:?}"),
    }
}

/// What the owner is answered who asks for a token.
async fn ask(server: &Server, owner: &str, id: UploadId, body: serde_json::Value) -> Answer {
    let path = format!("/uploads/{id}/tokens");
    server
        .send(with(post(&path, body.to_string()), "cookie", owner))
        .await
}

pub(crate) async fn token(server: &Server, owner: &str, id: UploadId, may: &[&str]) -> String {
    let answer = ask(server, owner, id, json!({"may": may, "lifetime": 60_000})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json::<TokenResponse>().token
}

fn part(id: UploadId, index: u32) -> Request<Body> {
    let all = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    post(
        "/packs",
        pack("bearer", 0, &[chunk(id, layout, index, &all)]),
    )
}

fn status(id: UploadId) -> Request<Body> {
    let asked = StatusRequest {
        ids: vec![id],
        checksums: None,
    };
    post("/uploads/status", serde_json::to_vec(&asked).unwrap())
}

fn delete(id: UploadId) -> Request<Body> {
    let asked = DeleteRequest { ids: vec![id] };
    post("/uploads/delete", serde_json::to_vec(&asked).unwrap())
}

fn download(id: UploadId) -> Request<Body> {
    request(Method::GET, &format!("/files/{id}/x"), Body::empty())
}

#[tokio::test]
async fn with_a_token_one_upload_is_sent_read_and_deleted_without_a_cookie() {
    let server = server();
    let owner = visit(&server, &[]).await;
    let id = create(&server, &owner, "one").await;
    let other = create(&server, &owner, "other").await;
    let token = token(&server, &owner, id, &["send", "read", "delete"]).await;
    // Without it nobody gets anywhere.
    assert_eq!(
        server
            .send(part(id, 0))
            .await
            .json::<PackResponse>()
            .results
            .len(),
        1
    );
    let UploadStatus::Gone(_) = server
        .send(status(id))
        .await
        .json::<StatusResponse>()
        .uploads
        .remove(0)
    else {
        panic!("it is not anonymous's");
    };
    for index in [0, 1] {
        let sent = server.send(bearing(&token, part(id, index))).await;
        assert!(
            sent.header("set-cookie").is_none(),
            "a bearer is no visitor: {sent:?}"
        );
        assert_eq!(
            sent.json::<PackResponse>().results,
            [ChunkResult::Acknowledged]
        );
    }
    let told = server
        .send(bearing(&token, status(id)))
        .await
        .json::<StatusResponse>();
    assert!(
        matches!(told.uploads[..], [UploadStatus::Finished { .. }]),
        "{told:?}"
    );
    assert_eq!(
        server.send(bearing(&token, download(id))).await.body,
        bytes(2 * C)
    );
    // The other one of the same owner is one that never was.
    let sent = server
        .send(bearing(&token, part(other, 0)))
        .await
        .json::<PackResponse>();
    assert!(
        matches!(&sent.results[..], [ChunkResult::Refused(body)] if body.code == ErrorCode::NotFound)
    );
    let deleted = server
        .send(bearing(&token, delete(id)))
        .await
        .json::<DeleteResponse>();
    assert!(matches!(
        deleted.results[..],
        [DeleteResult::Deleting { .. }]
    ));
    // A stale cookie beside it does not matter.
    let id = create(&server, &owner, "third").await;
    let third = self::token(&server, &owner, id, &["send"]).await;
    let stale = || with(part(id, 0), "cookie", UNKNOWN);
    assert_eq!(
        server.send(stale()).await.error().1,
        ErrorCode::VisitorUnknown
    );
    let sent = server
        .send(bearing(&third, stale()))
        .await
        .json::<PackResponse>();
    assert_eq!(sent.results, [ChunkResult::Acknowledged]);
}

#[tokio::test]
async fn a_token_lets_do_what_it_says_and_nothing_that_is_of_no_one_upload() {
    for may in [&["send"][..], &["read"], &["delete"], &[]] {
        let server = server();
        let owner = visit(&server, &[]).await;
        let (begun, done) = (
            create(&server, &owner, "begun").await,
            create(&server, &owner, "done").await,
        );
        for index in [0, 1] {
            server.send(with(part(done, index), "cookie", &owner)).await;
        }
        let of_begun = token(&server, &owner, begun, may).await;
        let of_done = token(&server, &owner, done, may).await;
        let allowed = |right: &str| if may.contains(&right) { 200 } else { 403 };
        let calls = [
            ("status", &of_begun, status(begun), 200),
            ("send", &of_begun, part(begun, 0), allowed("send")),
            ("read", &of_done, download(done), allowed("read")),
            ("delete", &of_done, delete(done), allowed("delete")),
            (
                "list",
                &of_begun,
                request(Method::GET, "/uploads", Body::empty()),
                403,
            ),
            (
                "zip",
                &of_done,
                request(Method::GET, "/zip", Body::empty()),
                403,
            ),
            (
                "create",
                &of_begun,
                post(
                    "/uploads",
                    serde_json::to_vec(&creates(vec![file("new", 1)])).unwrap(),
                ),
                403,
            ),
            (
                "token",
                &of_done,
                post(
                    &format!("/uploads/{done}/tokens"),
                    r#"{"may":[],"lifetime":9}"#,
                ),
                403,
            ),
            (
                "revoke",
                &of_done,
                post(&format!("/uploads/{done}/tokens/revoke"), "{}"),
                403,
            ),
        ];
        for (what, token, call, expected) in calls {
            let answer = server.send(bearing(token, call)).await;
            assert_eq!(
                answer.status.as_u16(),
                expected,
                "{may:?} {what}: {answer:?}"
            );
        }
        // The plugin's protocol does not look among anybody's files, and has its errors in the body.
        let list = r#"[{"name":"done","size":131072,"lastModified":1}]"#;
        for (call, expected) in [
            ("init", r#"{"error":0,"msg":"","data":[true]}"#),
            (
                "delete&name=done&size=131072&lastModified=1",
                r#"{"error":403,"#,
            ),
            (
                "upload&name=x&size=1&start=0&length=1&lastModified=1",
                r#"{"error":403,"#,
            ),
        ] {
            let expected = if may.contains(&"send") {
                expected
            } else {
                r#"{"error":403,"#
            };
            let body = if call == "init" {
                list
            } else if call.starts_with("upload") {
                "x"
            } else {
                ""
            };
            let call = Request::post(format!("/server.php?action={call}"))
                .body(body.into())
                .unwrap();
            let answer = server.send(bearing(&of_done, call)).await;
            assert!(
                answer.body.starts_with(expected.as_bytes()),
                "{may:?}: {answer:?}"
            );
        }
        // A form makes new files.
        let body = "--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"new\"\r\n\r\nx\r\n--b--\r\n";
        let form = with(
            post("/form", body),
            "content-type",
            "multipart/form-data; boundary=b",
        );
        assert_eq!(
            server.send(bearing(&of_begun, form)).await.status.as_u16(),
            403,
            "{may:?}"
        );
        let cancel = request(Method::DELETE, &format!("/uploads/{begun}"), Body::empty());
        let answer = server.send(bearing(&of_begun, cancel)).await;
        assert_eq!(
            answer.status.as_u16(),
            allowed("delete"),
            "{may:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_any_more_is_refused_and_nothing_else_is_tried() {
    let server = server();
    let owner = visit(&server, &[]).await;
    let id = create(&server, &owner, "one").await;
    let first = token(&server, &owner, id, &["send"]).await;
    let second = token(&server, &owner, id, &["send"]).await;
    let revoke = |body: String| {
        with(
            post(&format!("/uploads/{id}/tokens/revoke"), body),
            "cookie",
            &owner,
        )
    };
    let is_good =
        async |token: &str| server.send(bearing(token, status(id))).await.status == StatusCode::OK;
    assert!(is_good(&first).await && is_good(&second).await);
    let revoked = server
        .send(revoke(json!({"token": first}).to_string()))
        .await;
    assert_eq!(revoked.json::<RevokeResponse>().revoked, 1);
    assert!(!is_good(&first).await && is_good(&second).await);
    let third = token(&server, &owner, id, &["send"]).await;
    assert_eq!(
        server
            .send(revoke("{}".into()))
            .await
            .json::<RevokeResponse>()
            .revoked,
        2
    );
    assert!(!is_good(&second).await && !is_good(&third).await);
    let fourth = token(&server, &owner, id, &["send"]).await;
    server.pass(59_999);
    assert!(is_good(&fourth).await);
    server.pass(1);
    assert!(!is_good(&fourth).await);
    // Also with the owner's cookie: what was said to be a token is not looked past.
    for token in [
        fourth.as_str(),
        "hoist_",
        "hoist_../x",
        &"hoist_0".repeat(900),
    ] {
        let answer = server
            .send(bearing(token, with(status(id), "cookie", &owner)))
            .await;
        assert_eq!(answer.error().1, ErrorCode::Unauthorized, "{token}");
    }
    // What is none of ours is for whoever decides about visitors.
    for other in [
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
        "Basic aG9pc3RfOng=",
        "hoist_",
        "",
    ] {
        let call = with(with(status(id), "authorization", other), "cookie", &owner);
        assert_eq!(server.send(call).await.status, StatusCode::OK, "{other}");
    }
}

#[tokio::test]
async fn a_token_in_an_address_is_nothing() {
    let server = server();
    let owner = visit(&server, &[]).await;
    let id = create(&server, &owner, "one").await;
    for index in [0, 1] {
        server.send(with(part(id, index), "cookie", &owner)).await;
    }
    let token = token(&server, &owner, id, &["read"]).await;
    let path = format!("/files/{id}/x");
    let read = |path: &str| request(Method::GET, path, Body::empty());
    // It is good, and there is something to read.
    let answer = server.send(bearing(&token, read(&path))).await;
    assert_eq!(answer.body, bytes(2 * C));
    for query in [
        format!("token={token}"),
        format!("access_token={token}"),
        format!("authorization=Bearer%20{token}"),
        format!("bearer={token}"),
        token.clone(),
    ] {
        let answer = server.send(read(&format!("{path}?{query}"))).await;
        assert_eq!(answer.error(), (404, ErrorCode::NotFound), "{query}");
    }
}

#[tokio::test]
async fn a_token_bounds_how_much_is_sent() {
    let server = server();
    let owner = visit(&server, &[]).await;
    let id = create(&server, &owner, "one").await;
    let asked = json!({"may": ["send"], "bytes": C, "lifetime": 60_000});
    let token = ask(&server, &owner, id, asked)
        .await
        .json::<TokenResponse>()
        .token;
    let all = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let both = [chunk(id, layout, 0, &all), chunk(id, layout, 1, &all)];
    let sent = server
        .send(bearing(&token, post("/packs", pack("s", 0, &both))))
        .await
        .json::<PackResponse>();
    assert!(
        matches!(&sent.results[..], [ChunkResult::Acknowledged, ChunkResult::Refused(body)] if body.code == ErrorCode::Forbidden),
        "{sent:?}"
    );
}

/// May send and read, and nothing else.
struct Half;

impl Authorize for Half {
    async fn authorize(&self, _parts: &Parts) -> Result<Access, ApiError> {
        let mut access = Access::full(Party::known(Owner::shared()));
        access.rights = Rights {
            send: true,
            read: true,
            ..Rights::NONE
        };
        Ok(access)
    }
}

#[tokio::test]
async fn nobody_gives_what_they_have_not_and_bad_requests_get_no_token() {
    let config = HttpConfig {
        authorize: Authorizer::new(Half),
        ..HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    let id = server.create("one", 2 * C).await.id;
    for (may, expected) in [
        (&["send", "read"][..], 200),
        (&["delete"], 403),
        (&["send", "delete"], 403),
    ] {
        let answer = ask(&server, "", id, json!({"may": may, "lifetime": 1000})).await;
        assert_eq!(answer.status.as_u16(), expected, "{may:?}");
    }
    for body in [
        json!({}),
        json!({"may": ["admin"], "lifetime": 1}),
        json!({"may": ["send"], "lifetime": 0}),
        json!({"may": ["send"], "lifetime": -1}),
    ] {
        let answer = ask(&server, "", id, body.clone()).await;
        assert_eq!(answer.error().1, ErrorCode::InvalidRequest, "{body}");
    }
    let never = UploadId::from_bytes([0xEE; 16]);
    let answer = ask(
        &server,
        "",
        never,
        json!({"may": ["send"], "lifetime": 1000}),
    )
    .await;
    assert_eq!(answer.error().1, ErrorCode::NotFound);
}
