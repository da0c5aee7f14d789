//! Who is who: cookies, anonymous clients, strangers, and an embedder's own rules.

use axum::{Router, body::Body, routing::get};
use hoist_axum::{
    Access, ApiError, Authorize, Authorizer, CookieConfig, CookieKey, CookieVisitors, HttpConfig,
    Rights,
};
use hoist_protocol::{
    ChunkLayout, CreateAnswer, CreateResponse, DeleteRequest, DeleteResponse, DeleteResult,
    ErrorCode, ListResponse, PackResponse, StatusRequest, StatusResponse, UploadId, UploadStatus,
};
use hoist_store::{Owner, Party, StoreConfig};
use http::{HeaderMap, HeaderValue, Method, Request, request::Parts};

use crate::support::{Answer, C, Server, chunk, creates, file, pack, post, request};

/// A router behind the layer, with a page beside it.
pub(crate) fn server() -> Server {
    let visitors = CookieVisitors::new(CookieKey::from_bytes([7; 32]), CookieConfig::default());
    let config = HttpConfig {
        authorize: Authorizer::new(visitors.clone()),
        ..HttpConfig::default()
    };
    let mut server = Server::with(config, StoreConfig::default());
    let page = Router::new().route("/hoist-page", get(async || "page"));
    server.router = server.router.merge(page).layer(visitors.layer());
    server
}

fn page(headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::builder().uri("/hoist-page");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .header("accept", "text/html,*/*")
        .body(Body::empty())
        .unwrap()
}

/// Visits the page; the cookie that the browser has then.
pub(crate) async fn visit(server: &Server, headers: &[(&'static str, &str)]) -> String {
    let answer = server.send(page(headers)).await;
    let set = answer.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn with(mut request: Request<Body>, cookie: Option<&str>) -> Request<Body> {
    if let Some(cookie) = cookie {
        request
            .headers_mut()
            .insert("cookie", cookie.parse().unwrap());
    }
    request
}

async fn call(
    server: &Server,
    path: &str,
    body: &impl serde::Serialize,
    cookie: Option<&str>,
) -> Answer {
    let body = serde_json::to_vec(body).unwrap();
    server.send(with(post(path, body), cookie)).await
}

async fn create(server: &Server, cookie: Option<&str>) -> CreateAnswer {
    let answer = call(server, "/uploads", &creates(vec![file("a", 1)]), cookie).await;
    answer.json::<CreateResponse>().answers.remove(0)
}

async fn upload(server: &Server, cookie: Option<&str>) -> UploadId {
    let CreateAnswer::Needed(needed) = create(server, cookie).await else {
        panic!("it is new")
    };
    let layout = ChunkLayout::new(1, C).unwrap();
    let body = pack("s", 0, &[chunk(needed.id, layout, 0, b"x")]);
    let answer = server.send(with(post("/packs", body), cookie)).await;
    assert_eq!(answer.json::<PackResponse>().receipts[0].id, needed.id);
    needed.id
}

async fn counts(server: &Server, cookie: &str) -> (u64, u64) {
    let list = request(Method::GET, "/uploads", "");
    let list: ListResponse = server.send(with(list, Some(cookie))).await.json();
    (list.counts.unfinished, list.counts.finished)
}

#[tokio::test]
async fn a_page_mints_one_cookie_and_renews_it() {
    let server = server();
    let answer = server.send(page(&[])).await;
    let set = answer.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap();
    assert_eq!(
        visit(&server, &[("cookie", cookie)]).await,
        cookie,
        "the same visitor again"
    );
    assert_ne!(visit(&server, &[]).await, cookie, "another visitor");
    let https = server.send(page(&[("x-forwarded-proto", "https")])).await;
    assert!(https.header("set-cookie").unwrap().contains("; Secure"));
    // Calls never mint: a client would turn into somebody else between two of them.
    let answer = call(&server, "/uploads", &creates(vec![]), None).await;
    assert_eq!(answer.header("set-cookie"), None);
    let limits = server.get("/limits").await;
    assert_eq!(limits.header("set-cookie"), None);
}

#[tokio::test]
async fn nobody_reaches_what_is_anothers() {
    let server = server();
    let (mine, other) = (visit(&server, &[]).await, visit(&server, &[]).await);
    let done = upload(&server, Some(&mine)).await;
    let body = creates(vec![file("b", 1)]);
    let answer = call(&server, "/uploads", &body, Some(&mine)).await;
    let answer = answer.json::<CreateResponse>().answers.remove(0);
    let CreateAnswer::Needed(open) = answer else {
        panic!("it is new")
    };
    assert_eq!(counts(&server, &mine).await, (1, 1));
    let layout = ChunkLayout::new(1, C).unwrap();
    for stranger in [Some(other.as_str()), None] {
        for id in [done, open.id] {
            let status = StatusRequest {
                ids: vec![id],
                checksums: None,
            };
            let status = call(&server, "/uploads/status", &status, stranger).await;
            let status: StatusResponse = status.json();
            let UploadStatus::Gone(gone) = &status.uploads[0] else {
                panic!("{status:?}")
            };
            assert_eq!(gone.error.code, ErrorCode::NotFound);
            // Says the same as of what never was, and does nothing.
            let ids = DeleteRequest { ids: vec![id] };
            let deleted = call(&server, "/uploads/delete", &ids, stranger).await;
            assert_eq!(
                deleted.json::<DeleteResponse>().results,
                [DeleteResult::Deleted]
            );
            let file = request(Method::GET, &format!("/files/{id}/a"), "");
            let file = server.send(with(file, stranger)).await;
            assert_eq!(file.error(), (404, ErrorCode::NotFound));
            let body = pack("s", 9, &[chunk(id, layout, 0, b"y")]);
            let answer = server.send(with(post("/packs", body), stranger)).await;
            assert!(answer.json::<PackResponse>().receipts.is_empty());
        }
        assert!(
            matches!(create(&server, stranger).await, CreateAnswer::Needed(_)),
            "an equal file of another is not detected"
        );
    }
    assert_eq!(counts(&server, &mine).await, (1, 1));
    assert!(matches!(
        create(&server, Some(&mine)).await,
        CreateAnswer::Present { .. }
    ));
}

#[tokio::test]
async fn without_a_cookie_one_sends_and_reads_by_id_but_lists_and_finds_nothing() {
    let server = server();
    let id = upload(&server, None).await;
    let file = server.get(&format!("/files/{id}/a")).await;
    assert_eq!(file.body, "x");
    assert_eq!(
        server.get("/uploads").await.error(),
        (403, ErrorCode::Forbidden)
    );
    let again = upload(&server, None).await;
    assert_ne!(again, id, "nothing earlier is found");
    let ids = DeleteRequest { ids: vec![id] };
    let deleted = call(&server, "/uploads/delete", &ids, None).await;
    let results = deleted.json::<DeleteResponse>().results;
    assert!(matches!(results[..], [DeleteResult::Deleting { .. }]));
}

#[tokio::test]
async fn a_stranger_is_told_that_they_are_not_known_and_never_not_found() {
    let server = server();
    let cookie = visit(&server, &[]).await;
    let id = upload(&server, Some(&cookie)).await;
    let forged = format!("{}0", &cookie[..cookie.len() - 1]);
    let forged = if forged == cookie {
        format!("{}1", &cookie[..cookie.len() - 1])
    } else {
        forged
    };
    for wrong in [
        forged.as_str(),
        "hoist_visitor=",
        "hoist_visitor=shared",
        "a=b; hoist_visitor=x",
    ] {
        for (method, path) in [
            (Method::GET, "/limits".to_owned()),
            (Method::GET, "/uploads".to_owned()),
            (Method::POST, "/uploads".to_owned()),
            (Method::POST, "/uploads/status".to_owned()),
            (Method::POST, "/packs".to_owned()),
            (Method::POST, "/form".to_owned()),
            (Method::DELETE, format!("/uploads/{id}")),
            (Method::GET, format!("/files/{id}/a")),
            (Method::GET, "/nothing".to_owned()),
        ] {
            let answer = server
                .send(with(request(method, &path, "{}"), Some(wrong)))
                .await;
            assert_eq!(
                answer.error(),
                (401, ErrorCode::VisitorUnknown),
                "{path} {wrong}"
            );
        }
        // A page makes a new visitor of them.
        let renewed = visit(&server, &[("cookie", wrong)]).await;
        assert_eq!(counts(&server, &renewed).await, (0, 0));
    }
    // Beside another path's cookie of the same name, ours still counts.
    let both = format!("hoist_visitor=x; {cookie}");
    assert_eq!(counts(&server, &both).await, (0, 1));
}

/// What an embedder may say.
struct Own;

impl Authorize for Own {
    async fn authorize(&self, parts: &Parts) -> Result<Access, ApiError> {
        let rights = match parts.headers.get("x-role").map(HeaderValue::as_bytes) {
            None => return Err(ApiError::new(ErrorCode::Unauthorized, "Sign in first")),
            Some(b"reader") => Rights {
                list: true,
                read: true,
                ..Rights::NONE
            },
            Some(b"sender") => Rights {
                send: true,
                ..Rights::NONE
            },
            Some(_) => Rights::NONE,
        };
        let mut response_headers = HeaderMap::new();
        response_headers.insert("set-cookie", HeaderValue::from_static("session=renewed"));
        Ok(Access {
            rights,
            response_headers,
            ..Access::full(Party::known(Owner::new("ann").unwrap()))
        })
    }
}

#[tokio::test]
async fn an_embedder_decides_about_every_right() {
    let config = HttpConfig {
        authorize: Authorizer::new(Own),
        ..HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    let id = "00000000000000000000000000000000";
    let calls = [
        (
            Method::POST,
            "/uploads",
            "sender",
            r#"{"sender":"s","files":[]}"#,
        ),
        (Method::POST, "/packs", "sender", ""),
        (Method::POST, "/form", "sender", ""),
        (Method::GET, "/uploads", "reader", ""),
        (Method::GET, &format!("/files/{id}/a"), "reader", ""),
        (Method::POST, "/uploads/delete", "nobody", r#"{"ids":[]}"#),
        (Method::POST, "/uploads/restore", "nobody", r#"{"ids":[]}"#),
        (Method::DELETE, &format!("/uploads/{id}"), "nobody", ""),
    ];
    for (method, path, may, body) in calls {
        for role in ["reader", "sender"] {
            let mut asked = request(method.clone(), path, body);
            asked.headers_mut().insert("x-role", role.parse().unwrap());
            let answer = server.send(asked).await;
            assert_eq!(
                answer.status != 403,
                role == may,
                "{path} {role} {answer:?}"
            );
            assert_eq!(answer.header("set-cookie"), Some("session=renewed"));
        }
        let nobody = server.send(request(method, path, body)).await;
        assert_eq!(nobody.error(), (401, ErrorCode::Unauthorized), "{path}");
    }
}
