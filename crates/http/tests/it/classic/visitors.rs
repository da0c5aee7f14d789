//! Who is who: with a cookie, without, and with a secret in the address.

use axum::body::Body;
use hoist_axum::{Authorizer, CookieConfig, CookieKey, CookieVisitors, HttpConfig};
use hoist_store::{Party, StoreConfig};
use http::Request;
use serde_json::{Value, json};

use super::{call, delete, init, list, named, part, request, said};
use crate::{
    running::until,
    support::{Answer, Server, frames},
};

/// A server that tells visitors apart.
fn visited() -> Server {
    let key = CookieKey::from_bytes([7; 32]);
    let visitors = CookieVisitors::new(key, CookieConfig::default());
    let http = HttpConfig {
        authorize: Authorizer::new(visitors.clone()),
        ..HttpConfig::default()
    };
    let mut server = Server::with(http, StoreConfig::default());
    let page = axum::Router::new().route("/page", axum::routing::get(async || "page"));
    server.router = server.router.merge(page).layer(visitors.layer());
    server
}

async fn cookie(server: &Server) -> String {
    let page = Request::get("/page").header("accept", "text/html");
    let answer = server.send(page.body(Body::empty()).unwrap()).await;
    answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

async fn call_as(server: &Server, cookie: &str, address: &str, body: &[u8]) -> Answer {
    let mut request = request(address, body.to_vec());
    request
        .headers_mut()
        .insert("cookie", cookie.parse().unwrap());
    server.send(request).await
}

#[tokio::test]
async fn visitors_with_cookies_have_their_own_and_see_no_others() {
    let server = visited();
    let (one, two) = (&cookie(&server).await, &cookie(&server).await);
    let file = named("a", 6, 1);
    let list = br#"[{"name":"a","size":6,"lastModified":1}]"#;
    let first = format!("?action=upload&start=0&length=3&{file}");
    let second = format!("?action=upload&start=3&length=3&{file}");
    call_as(&server, one, &first, b"abc").await;
    call_as(&server, two, &first, b"ABC").await;
    call_as(&server, one, &second, b"def").await;
    for (cookie, needed) in [(one, false), (two, true)] {
        let answer = call_as(&server, cookie, "?action=init", list).await;
        assert_eq!(answer.json::<Value>()["data"], json!([needed]));
    }
    // Nor delete them.
    let deleted = call_as(&server, two, &format!("?action=delete&{file}"), b"").await;
    assert_eq!(said(&deleted).1, 0);
    let answer = call_as(&server, one, "?action=init", list).await;
    assert_eq!(answer.json::<Value>()["data"], json!([false]));
    let unknown = call_as(&server, "hoist_visitor=x", "?action=init", list).await;
    assert_eq!(said(&unknown), (200, 401, "visitor_unknown".to_owned()));
    // Who has a cookie needs no secret, and a secret leads them to nobody else's.
    let beside = call_as(&server, one, "/whatever?action=init", list).await;
    assert_eq!(beside.json::<Value>()["data"], json!([false]));
}

#[tokio::test]
async fn without_a_cookie_a_file_is_sent_whole_and_nothing_is_found_of_it() {
    let server = visited();
    let (file, asked) = (named("a", 6, 1), [("a", 6, 1), ("empty", 0, 1)]);
    assert_eq!(init(&server, "", &asked).await, json!([true, true]));
    for _ in 0..2 {
        assert_eq!(said(&part(&server, "", &file, 0, b"abcdef").await).1, 0);
        assert_eq!(init(&server, "", &asked).await, json!([true, true]));
    }
    let half = part(&server, "", &file, 0, b"abc").await;
    assert_eq!(said(&half), (200, 403, "forbidden".to_owned()));
    let gone = delete(&server, "", &file).await;
    assert_eq!(said(&gone), (200, 403, "forbidden".to_owned()));
    let counts = list(&server, &Party::anonymous()).await.counts;
    assert_eq!((counts.finished, counts.unfinished), (2, 0));
    // A body that ends too early leaves nothing that nobody could name again.
    let address = format!("?action=upload&start=0&length=6&{file}");
    let short = call(&server, &address, frames(vec![b"abc".to_vec()])).await;
    assert_eq!(said(&short), (200, 400, "invalid_request".to_owned()));
    until("it is taken back", async || {
        list(&server, &Party::anonymous()).await.counts.unfinished == 0
    })
    .await;
}

#[tokio::test]
async fn without_a_cookie_a_secret_in_the_address_makes_a_visitor() {
    let server = visited();
    let (mine, other) = (
        "/0123456789abcdef0123456789abcdef",
        "/0123456789abcdef0123456789abcdee",
    );
    let (file, asked) = (named("a", 6, 1), [("a", 6, 1)]);
    assert_eq!(said(&part(&server, mine, &file, 3, b"def").await).1, 0);
    assert_eq!(said(&part(&server, other, &file, 3, b"xyz").await).1, 0);
    assert_eq!(said(&part(&server, mine, &file, 0, b"abc").await).1, 0);
    assert_eq!(init(&server, mine, &asked).await, json!([false]));
    for stranger in [other, ""] {
        assert_eq!(init(&server, stranger, &asked).await, json!([true]));
    }
    delete(&server, other, &file).await;
    assert_eq!(init(&server, mine, &asked).await, json!([false]));
    assert_eq!(said(&delete(&server, mine, &file).await).1, 0);
    assert_eq!(init(&server, mine, &asked).await, json!([true]));
    for wrong in ["/short", "/0123456789abcdef0123456789abcd%2Fef"] {
        let answer = part(&server, wrong, &file, 0, b"abc").await;
        assert_eq!(
            said(&answer),
            (200, 400, "invalid_request".to_owned()),
            "{wrong}"
        );
    }
}
