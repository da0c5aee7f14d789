//! Every route, for every kind of visitor, on an upload in every state that is another's: nobody reads,
//! lists, extends, completes, cancels, deletes or detects it. What is not allowed here is denied. The pages
//! and their functions, a rename among them, have a table of their own: `app/tests/table.rs`.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use hoist_protocol::{
    ChunkLayout, CreateAnswer, CreateResponse, DeleteRequest, StatusRequest, UploadId,
};
use http::{Method, Request, StatusCode};

use crate::{
    support::{Answer, C, Server, bytes, chunk, creates, file, pack, post, request},
    tokens::token,
    visitors::{server, visit},
};

/// A call about one upload.
struct Route {
    /// As in the router.
    name: &'static str,
    changes: bool,
    call: fn(UploadId) -> Request<Body>,
}

fn json(path: &str, body: &impl serde::Serialize) -> Request<Body> {
    post(path, serde_json::to_vec(body).unwrap())
}

/// The chunk that would complete the unfinished one.
fn last_chunk(id: UploadId) -> Vec<u8> {
    let all = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    pack("stranger", 9, &[chunk(id, layout, 1, &all)])
}

fn ids(id: UploadId) -> DeleteRequest {
    DeleteRequest { ids: vec![id] }
}

/// All that take an id.
fn routes() -> Vec<Route> {
    let route = |name, changes, call| Route {
        name,
        changes,
        call,
    };
    vec![
        route("POST /uploads/status", false, |id| {
            json(
                "/uploads/status",
                &StatusRequest {
                    ids: vec![id],
                    checksums: None,
                },
            )
        }),
        route("POST /uploads/delete", true, |id| {
            json("/uploads/delete", &ids(id))
        }),
        route("POST /uploads/restore", true, |id| {
            json("/uploads/restore", &ids(id))
        }),
        route("DELETE /uploads/{id}", true, |id| {
            request(Method::DELETE, &format!("/uploads/{id}"), Body::empty())
        }),
        route("POST /uploads/{id}/tokens", true, |id| {
            let body = r#"{"may":["send","read","delete"],"lifetime":60000}"#;
            post(&format!("/uploads/{id}/tokens"), body)
        }),
        route("POST /uploads/{id}/tokens/revoke", true, |id| {
            post(&format!("/uploads/{id}/tokens/revoke"), "{}")
        }),
        route("POST /packs", true, |id| post("/packs", last_chunk(id))),
        route("GET /files/{id}/{name}", false, |id| {
            request(Method::GET, &format!("/files/{id}/secret"), Body::empty())
        }),
        route("HEAD /files/{id}/{name}", false, |id| {
            request(Method::HEAD, &format!("/files/{id}/secret"), Body::empty())
        }),
        route("POST /form/delete", true, |id| {
            post("/form/delete", format!("id={id}"))
        }),
    ]
}

/// All others: they list, or make something new.
const WITHOUT_ID: [&str; 7] = [
    "GET /uploads",
    "POST /uploads",
    "POST /form",
    "GET /zip",
    "GET /zip/{*folder}",
    "GET /limits",
    "GET /socket",
];

#[test]
fn no_route_is_missing_in_this_table() {
    let router: BTreeSet<_> = hoist_axum::routes()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    let routes = routes();
    let names = routes.iter().map(|route| route.name).chain(WITHOUT_ID);
    let table: BTreeSet<_> = names
        .filter(|name| !name.starts_with("HEAD "))
        .map(str::to_owned)
        .collect();
    assert_eq!(table, router);
}

/// A cookie as the server writes it, which it has never written.
pub(crate) const UNKNOWN: &str = "hoist_visitor=0123456789abcdef0123456789abcdef\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unfinished,
    Finished,
    Deleted,
}

fn with(mut request: Request<Body>, headers: &[(&'static str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Everything of an answer that could tell something, but for the id that was asked for.
fn told(answer: &Answer, id: UploadId) -> String {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&answer.body);
    format!("{} {headers:?} {body}", answer.status).replace(&id.to_string(), "ID")
}

/// One upload in a state, made by its owner.
async fn prepared(server: &Server, owner: &str, state: State) -> UploadId {
    prepared_as(server, owner, "secret", state).await
}

async fn prepared_as(server: &Server, owner: &str, name: &str, state: State) -> UploadId {
    let mine = [("cookie", owner)];
    let all = bytes(2 * C);
    let body = serde_json::to_vec(&creates(vec![file(name, 2 * C)])).unwrap();
    let created = server.send(with(post("/uploads", body), &mine)).await;
    let CreateAnswer::Needed(needed) = created.json::<CreateResponse>().answers.remove(0) else {
        panic!("it is new");
    };
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let count = if state == State::Unfinished { 1 } else { 2 };
    let chunks: Vec<_> = (0..count)
        .map(|index| chunk(needed.id, layout, index, &all))
        .collect();
    let sent = server
        .send(with(post("/packs", pack("s", 0, &chunks)), &mine))
        .await;
    assert!(sent.status.is_success(), "{sent:?}");
    if state == State::Deleted {
        let deleted = server
            .send(with(json("/uploads/delete", &ids(needed.id)), &mine))
            .await;
        assert!(deleted.status.is_success(), "{deleted:?}");
    }
    needed.id
}

/// What the owner sees: the status, the list, and the bytes if there are some.
async fn seen(server: &Server, owner: &str, id: UploadId) -> Vec<String> {
    let mine = [("cookie", owner)];
    let mut all = Vec::new();
    for call in [
        json(
            "/uploads/status",
            &StatusRequest {
                ids: vec![id],
                checksums: None,
            },
        ),
        request(Method::GET, "/uploads", Body::empty()),
        request(Method::GET, &format!("/files/{id}/secret"), Body::empty()),
    ] {
        let answer = server.send(with(call, &mine)).await;
        all.push(format!(
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        ));
    }
    all
}

#[tokio::test]
async fn for_everybody_else_an_upload_is_one_that_never_was() {
    let never = UploadId::from_bytes([0xEE; 16]);
    for state in [State::Unfinished, State::Finished, State::Deleted] {
        let server = server();
        let owner = visit(&server, &[]).await;
        let id = prepared(&server, &owner, state).await;
        let other = visit(&server, &[]).await;
        // A token of the same owner, for another upload.
        let second = prepared_as(&server, &owner, "second", State::Unfinished).await;
        let token = token(&server, &owner, second, &["send", "read", "delete"]).await;
        let token = format!("Bearer {token}");
        let before = seen(&server, &owner, id).await;
        let visitors: [(&str, Vec<(&'static str, &str)>); 5] = [
            (
                "the bearer of another token",
                vec![("authorization", &token)],
            ),
            ("another visitor", vec![("cookie", &other)]),
            ("nobody", vec![]),
            ("an unknown cookie", vec![("cookie", UNKNOWN)]),
            (
                "a page elsewhere",
                vec![
                    ("cookie", &other),
                    ("origin", "https://evil.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
            ),
        ];
        for (who, headers) in &visitors {
            for route in routes() {
                let what = format!("{who}, {}, {state:?}", route.name);
                let real = server.send(with((route.call)(id), headers)).await;
                let unreal = server.send(with((route.call)(never), headers)).await;
                assert_eq!(told(&real, id), told(&unreal, never), "{what}");
                let is_unknown = real.status == StatusCode::UNAUTHORIZED;
                assert_eq!(is_unknown, *who == "an unknown cookie", "{what}: {real:?}");
                assert!(
                    !String::from_utf8_lossy(&real.body).contains("secret"),
                    "{what}: {real:?}"
                );
            }
            // Calls without an id tell nothing of it either.
            let paths = WITHOUT_ID
                .iter()
                .filter_map(|name| name.strip_prefix("GET "));
            for path in paths.map(|path| path.replace("{*folder}", "secret")) {
                let answer = server
                    .send(with(request(Method::GET, &path, Body::empty()), headers))
                    .await;
                let body = String::from_utf8_lossy(&answer.body);
                assert!(
                    !body.contains("secret") && !body.contains(&id.to_string()),
                    "{who}, {path}"
                );
            }
        }
        // The same file, chosen by somebody else, is a new one.
        for (who, headers) in &visitors {
            let body = serde_json::to_vec(&creates(vec![file("secret", 2 * C)])).unwrap();
            let created = server.send(with(post("/uploads", body), headers)).await;
            if created.status.is_success() {
                match created.json::<CreateResponse>().answers.remove(0) {
                    CreateAnswer::Needed(needed) => {
                        assert!(needed.id != id && needed.received.is_empty(), "{who}");
                    }
                    other => panic!("{who}: {other:?}"),
                }
            }
        }
        assert_eq!(
            seen(&server, &owner, id).await,
            before,
            "{state:?}: nothing of it has changed"
        );
    }
}

#[tokio::test]
async fn a_page_elsewhere_changes_nothing_even_with_the_owners_cookie() {
    for state in [State::Unfinished, State::Finished, State::Deleted] {
        let server = server();
        let owner = visit(&server, &[]).await;
        let id = prepared(&server, &owner, state).await;
        let before = seen(&server, &owner, id).await;
        for headers in [
            [
                ("cookie", owner.as_str()),
                ("origin", "https://evil.example"),
            ],
            [("cookie", owner.as_str()), ("origin", "null")],
            [("cookie", owner.as_str()), ("sec-fetch-site", "cross-site")],
        ] {
            for route in routes().into_iter().filter(|route| route.changes) {
                let answer = server.send(with((route.call)(id), &headers)).await;
                assert_eq!(
                    answer.status.as_u16(),
                    403,
                    "{}, {headers:?}, {state:?}",
                    route.name
                );
            }
        }
        assert_eq!(seen(&server, &owner, id).await, before, "{state:?}");
    }
}

#[tokio::test]
async fn the_table_can_fail_the_owner_is_told_more_of_an_upload_than_of_one_that_never_was() {
    let never = UploadId::from_bytes([0xEE; 16]);
    for route in routes() {
        let mut differs = false;
        for state in [State::Unfinished, State::Finished, State::Deleted] {
            let server = server();
            let owner = visit(&server, &[]).await;
            let id = prepared(&server, &owner, state).await;
            let mine = [("cookie", owner.as_str())];
            let unreal = server.send(with((route.call)(never), &mine)).await;
            let before = seen(&server, &owner, id).await;
            let real = server.send(with((route.call)(id), &mine)).await;
            differs |= told(&real, id) != told(&unreal, never);
            differs |= seen(&server, &owner, id).await != before;
        }
        assert!(differs, "{}", route.name);
    }
}

#[tokio::test]
async fn no_other_method_and_no_other_address_does_anything() {
    let server = server();
    let owner = visit(&server, &[]).await;
    let id = prepared(&server, &owner, State::Finished).await;
    let before = seen(&server, &owner, id).await;
    let mut known: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (method, path) in hoist_axum::routes() {
        let methods = known.entry(path).or_default();
        if method == Method::GET {
            methods.push(Method::HEAD);
        }
        methods.push(method);
    }
    for (path, methods) in known {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            if methods.contains(&method) {
                continue;
            }
            let path = path.replace("{id}", &id.to_string());
            let path = path.replace("{name}", "secret").replace("{*folder}", "a");
            let call = request(method.clone(), &path, Body::empty());
            let answer = server.send(with(call, &[("cookie", &owner)])).await;
            assert!(
                matches!(answer.status.as_u16(), 403 | 404 | 405 | 501),
                "{method} {path}: {answer:?}"
            );
        }
    }
    for path in [
        "/",
        "/uploads/",
        "/files",
        "/files/ID",
        "/packs/ID",
        "/../hoist/uploads",
        "/uploads/ID/rename",
        "//uploads",
    ] {
        let path = path.replace("ID", &id.to_string());
        let answer = server
            .send(with(
                request(Method::GET, &path, Body::empty()),
                &[("cookie", &owner)],
            ))
            .await;
        assert!(!answer.status.is_success(), "{path}: {answer:?}");
    }
    assert_eq!(seen(&server, &owner, id).await, before);
}
