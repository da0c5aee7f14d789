use hoist_axum::HttpConfig;
use hoist_protocol::ErrorCode;
use hoist_store::StoreConfig;
use http::Method;

use crate::support::{Answer, Server, request};

async fn send(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut request = request(method, path, r#"{"sender":"s","files":[],"ids":[]}"#);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    server.send(request).await
}

fn server() -> Server {
    let config = HttpConfig {
        allowed_origins: vec!["https://app.example".to_owned()],
        ..HttpConfig::default()
    };
    Server::with(config, StoreConfig::default())
}

/// All that changes something.
const CHANGING: [(Method, &str); 6] = [
    (Method::POST, "/uploads"),
    (Method::POST, "/uploads/delete"),
    (Method::POST, "/uploads/restore"),
    (Method::DELETE, "/uploads/00000000000000000000000000000000"),
    (Method::POST, "/packs"),
    (Method::POST, "/form"),
];

#[tokio::test]
async fn a_foreign_page_changes_nothing_and_reads_nothing() {
    let server = server();
    for (method, path) in CHANGING {
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://x.hoist.example"),
            ],
        ] {
            let answer = send(&server, method.clone(), path, headers).await;
            assert_eq!(
                answer.error(),
                (403, ErrorCode::Forbidden),
                "{path} {headers:?}"
            );
        }
    }
    let answer = send(
        &server,
        Method::GET,
        "/uploads",
        &[("origin", "https://evil.example")],
    )
    .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(
        answer.header("cross-origin-resource-policy"),
        Some("same-origin")
    );
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn our_own_pages_and_programs_may() {
    let server = server();
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", "https://hoist.example")],
    ] {
        let answer = send(&server, Method::POST, "/uploads", headers).await;
        assert_eq!(answer.status, 200, "{headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn a_listed_origin_may_and_is_told_so_by_name() {
    let server = server();
    let origin = ("origin", "https://app.example");
    let answer = send(
        &server,
        Method::POST,
        "/uploads",
        &[origin, ("sec-fetch-site", "cross-site")],
    )
    .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    for (method, path) in CHANGING {
        let asked = ("access-control-request-method", "POST");
        let preflight = send(&server, Method::OPTIONS, path, &[origin, asked]).await;
        assert_eq!(preflight.status, 204, "{method} {path}");
        let allowed = preflight.header("access-control-allow-methods").unwrap();
        assert!(allowed.contains(method.as_str()));
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some("https://app.example")
        );
        let foreign = ("origin", "https://evil.example");
        // What the page needs to be let in may come along.
        let wished = (
            "access-control-request-headers",
            "authorization, content-type",
        );
        let preflight = send(&server, Method::OPTIONS, path, &[origin, asked, wished]).await;
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            Some(wished.1)
        );
        let preflight = send(&server, Method::OPTIONS, path, &[foreign, asked]).await;
        assert_eq!(preflight.error(), (403, ErrorCode::Forbidden));
    }
    // An error can be read, too.
    let answer = send(&server, Method::GET, "/nothing", &[origin]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example")
    );
}
