//! The page and its functions, for every kind of visitor, on a file in every state that is another's: nobody
//! reads, renames, deletes, restores or detects it, and no page elsewhere calls anything in a visitor's name.

#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test that panics has failed

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Request},
};
use hoist_app::server::{Backend, pages};
use hoist_axum::{Authorizer, CookieConfig, CookieKey, CookieVisitors, HttpConfig};
use hoist_protocol::UploadId;
use hoist_store::{Store, StoreConfig};
use http_body_util::BodyExt as _;
use leptos::{config::LeptosOptions, server_fn::axum::server_fn_paths};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A cookie as the server writes it, which it has never written.
const UNKNOWN: &str = "hoist_visitor=0123456789abcdef0123456789abcdef\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The functions: those that take an id, and those that do not.
fn calls(id: &str) -> [(&'static str, Value); 5] {
    [
        ("rename_file", json!({"id": id, "name": "renamed"})),
        ("delete_files", json!({"ids": [id]})),
        ("restore_files", json!({"ids": [id]})),
        ("finished_files", json!({"after": null})),
        ("storage_used", json!({})),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unfinished,
    Finished,
    Deleted,
}

const STATES: [State; 3] = [State::Unfinished, State::Finished, State::Deleted];

type Headers<'a> = &'a [(&'static str, &'a str)];

struct Server(Router);

impl Server {
    fn new() -> Self {
        let key = CookieKey::from_bytes([7; 32]);
        let visitors = CookieVisitors::new(key, CookieConfig::default());
        let http = HttpConfig {
            authorize: Authorizer::new(visitors.clone()),
            ..HttpConfig::default()
        };
        let store = Store::memory(StoreConfig::default());
        let backend = Backend {
            store: store.clone(),
            http: http.clone(),
            endpoint: "/hoist".into(),
            sign_out: None,
        };
        let options = LeptosOptions::builder().output_name("hoist").build();
        let pages = pages(backend, options);
        let uploads = hoist_axum::router(store, http);
        Self(pages.nest("/hoist", uploads).layer(visitors.layer()))
    }

    /// The status, a cookie that is set, and the body.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: &Value,
    ) -> (u16, String, String) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "hoist.example")
            .header(
                "accept",
                if path == "/" {
                    "text/html"
                } else {
                    "application/json"
                },
            )
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let cookie = answer.headers().get("set-cookie");
        let cookie = cookie.map(|cookie| cookie.to_str().unwrap().to_owned());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (status, cookie.unwrap_or_default(), body)
    }

    /// Calls a function.
    async fn call(&self, headers: Headers<'_>, (name, body): &(&str, Value)) -> (u16, String) {
        let path = format!("/api/{name}");
        let (status, _, body) = self.ask("POST", &path, headers, body).await;
        (status, body)
    }

    /// A visitor's cookie.
    async fn visit(&self) -> String {
        let (status, cookie, _) = self.ask("GET", "/", &[], &Value::Null).await;
        assert_eq!(status, 200);
        cookie.split(';').next().unwrap().to_owned()
    }

    /// One file of this visitor, in a state.
    async fn prepared(&self, owner: &str, state: State) -> String {
        let mine: Headers<'_> = &[("cookie", owner)];
        let size = u8::from(state == State::Unfinished);
        let file = json!({"name": "secret", "size": size, "lastModified": 1});
        let create = json!({"sender": "s", "files": [file]});
        let (_, _, created) = self.ask("POST", "/hoist/uploads", mine, &create).await;
        let (_, rest) = created.split_once(r#""id":""#).expect("it is new");
        let id = rest[..32].to_owned();
        if state == State::Deleted {
            let (status, said) = self.call(mine, &calls(&id)[1]).await;
            assert_eq!(status, 200, "{said}");
        }
        id
    }

    /// What the owner sees of all that they have.
    async fn seen(&self, owner: &str, id: &str) -> Vec<String> {
        let mine: Headers<'_> = &[("cookie", owner)];
        let status = json!({"ids": [id]});
        vec![
            self.ask("GET", "/hoist/uploads", mine, &Value::Null)
                .await
                .2,
            self.ask("POST", "/hoist/uploads/status", mine, &status)
                .await
                .2,
        ]
    }
}

#[test]
fn no_function_is_missing_in_this_table() {
    // So that they are registered.
    drop(Server::new());
    let registered: BTreeSet<_> = server_fn_paths()
        .map(|(path, method)| format!("{method} {path}"))
        .collect();
    let table: BTreeSet<_> = calls("")
        .iter()
        .map(|(name, _)| format!("POST /api/{name}"))
        .collect();
    assert_eq!(table, registered);
}

#[tokio::test]
async fn for_everybody_else_a_file_is_one_that_never_was() {
    let never = UploadId::from_bytes([0xEE; 16]).to_string();
    for state in STATES {
        let server = Server::new();
        let owner = server.visit().await;
        let id = server.prepared(&owner, state).await;
        let other = server.visit().await;
        let grant = json!({"may": ["send", "read", "delete"], "lifetime": 60_000});
        let path = format!("/hoist/uploads/{id}/tokens");
        let mine: Headers<'_> = &[("cookie", &owner)];
        let (_, _, token) = server.ask("POST", &path, mine, &grant).await;
        let token: Value = serde_json::from_str(&token).unwrap();
        let token = token["token"]
            .as_str()
            .map(|token| format!("Bearer {token}"));
        // Of a file that is deleted there is none.
        assert_eq!(token.is_none(), state == State::Deleted);
        let token = token.unwrap_or_default();
        let before = server.seen(&owner, &id).await;
        let visitors: [(&str, Headers<'_>); 5] = [
            ("another visitor", &[("cookie", &other)]),
            ("nobody", &[]),
            ("an unknown cookie", &[("cookie", UNKNOWN)]),
            // Functions are the page's, and a token is for the protocol.
            ("the bearer of its token", &[("authorization", &token)]),
            (
                "a page elsewhere",
                &[("cookie", &other), ("origin", "https://evil.example")],
            ),
        ];
        for (who, headers) in visitors {
            for (real, unreal) in calls(&id).iter().zip(&calls(&never)) {
                let what = format!("{who}, {}, {state:?}", real.0);
                let (status, said) = server.call(headers, real).await;
                let (never_status, never_said) = server.call(headers, unreal).await;
                let (said, never_said) =
                    (said.replace(&id, "ID"), never_said.replace(&never, "ID"));
                assert_eq!((status, &said), (never_status, &never_said), "{what}");
                assert!(
                    !said.contains("secret") && !said.contains("renamed"),
                    "{what}: {said}"
                );
                assert!(
                    real.0.ends_with("_files") || status != 200 || said.contains(r#""finished":0"#),
                    "{what}: {said}"
                );
                let is_unknown = said.contains("visitor_unknown");
                assert_eq!(is_unknown, who == "an unknown cookie", "{what}: {said}");
            }
            let (_, _, page) = server.ask("GET", "/", headers, &Value::Null).await;
            assert!(
                !page.contains("secret") && !page.contains(&id),
                "{who}, {state:?}"
            );
        }
        assert_eq!(
            server.seen(&owner, &id).await,
            before,
            "{state:?}: nothing of it has changed"
        );
    }
}

#[tokio::test]
async fn a_page_elsewhere_calls_nothing_even_with_the_owners_cookie() {
    for state in STATES {
        let server = Server::new();
        let owner = server.visit().await;
        let id = server.prepared(&owner, state).await;
        let before = server.seen(&owner, &id).await;
        let mine = ("cookie", owner.as_str());
        let foreign: [Headers<'_>; 6] = [
            &[mine, ("origin", "https://evil.example")],
            &[mine, ("origin", "https://hoist.example.evil")],
            &[mine, ("origin", "null")],
            &[mine, ("sec-fetch-site", "cross-site")],
            // Another host below the same name.
            &[mine, ("sec-fetch-site", "same-site")],
            // What the browser says of itself counts, and not only where the page says it is.
            &[
                mine,
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://hoist.example"),
            ],
        ];
        for headers in foreign {
            for call in calls(&id) {
                let (status, said) = server.call(headers, &call).await;
                assert_eq!(status, 403, "{}, {headers:?}: {said}", call.0);
            }
        }
        assert_eq!(server.seen(&owner, &id).await, before, "{state:?}");
    }
}

#[tokio::test]
async fn the_table_can_fail_a_page_of_ours_does_all_of_it_for_the_owner() {
    let ours: [Headers<'_>; 3] = [
        &[("origin", "https://hoist.example")],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://hoist.example"),
        ],
        &[],
    ];
    for headers in ours {
        for (at, (name, _)) in calls("").iter().enumerate() {
            let mut differs = false;
            for state in STATES {
                let server = Server::new();
                let owner = server.visit().await;
                let id = server.prepared(&owner, state).await;
                let before = server.seen(&owner, &id).await;
                let headers = [headers, &[("cookie", owner.as_str())]].concat();
                let (status, said) = server.call(&headers, &calls(&id)[at]).await;
                assert_ne!(status, 403, "{name} {headers:?}: {said}");
                let is_told = said.contains("secret") || said.contains(r#""finished":1"#);
                differs |= is_told || server.seen(&owner, &id).await != before;
            }
            assert!(differs, "{name}");
        }
    }
}

#[tokio::test]
async fn no_other_method_calls_a_function_and_no_other_address_is_one() {
    let server = Server::new();
    let owner = server.visit().await;
    let id = server.prepared(&owner, State::Finished).await;
    let before = server.seen(&owner, &id).await;
    let mine: Headers<'_> = &[("cookie", &owner)];
    for (name, body) in calls(&id) {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let path = format!("/api/{name}");
            let (status, _, said) = server.ask(method, &path, mine, &body).await;
            assert_eq!(status, 405, "{method} {name}: {said}");
        }
    }
    for path in [
        "/api",
        "/api/",
        "/api/rename",
        "/api/rename_file/",
        "/api/../api/rename_file",
    ] {
        let (status, _, said) = server.ask("POST", path, mine, &calls(&id)[0].1).await;
        assert!((400..500).contains(&status), "{path}: {status} {said}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let (status, _, said) = server.ask(method, "/", mine, &Value::Null).await;
        assert_eq!(status, 405, "{method} /: {said}");
    }
    assert_eq!(server.seen(&owner, &id).await, before);
}
