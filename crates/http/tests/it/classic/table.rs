//! The calls of the dialect, for every kind of visitor, on a file in every state that is another's. They name
//! a file by what anybody can guess, and still nobody else finds it, adds to it, or deletes it.

use http::{HeaderName, HeaderValue, Method};
use serde_json::json;

use super::{named, request};
use crate::{
    support::{Answer, Server},
    table::UNKNOWN,
    visitors::{server, visit},
};

const SIZE: usize = 5;
/// What the owner has sent: all of it, or the beginning.
const WHOLE: &[u8] = b"ready";
/// As whoever brings a secret writes it.
const SECRET: &str = "/0123456789abcdef0123456789abcdef";

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unfinished,
    Finished,
    Deleted,
}

const STATES: [State; 3] = [State::Unfinished, State::Finished, State::Deleted];

/// All three, of a file of this name: what they are, the address, and the body.
fn calls(name: &str) -> [(&'static str, String, Vec<u8>); 4] {
    let file = named(name, SIZE, 1);
    let list = json!([{"name": name, "size": SIZE, "lastModified": 1}]);
    let part = |start: usize, bytes: &[u8]| {
        let length = bytes.len();
        let address = format!("?action=upload&part=0&start={start}&length={length}&{file}");
        (address, bytes.to_vec())
    };
    let (rest, whole) = (part(3, b"dy"), part(0, b"other"));
    [
        ("init", "?action=init".into(), list.to_string().into()),
        ("the rest", rest.0, rest.1),
        ("all of it", whole.0, whole.1),
        ("delete", format!("?action=delete&{file}"), Vec::new()),
    ]
}

async fn send(
    server: &Server,
    headers: &[(&'static str, &str)],
    address: &str,
    body: &[u8],
) -> Answer {
    let mut request = request(address, body.to_vec());
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    server.send(request).await
}

/// A server, and the owner of one file there.
async fn prepared(state: State) -> (Server, String) {
    let server = server();
    let owner = visit(&server, &[]).await;
    let mine = [("cookie", owner.as_str())];
    let length = if state == State::Unfinished { 3 } else { SIZE };
    let file = named("secret", SIZE, 1);
    let part = format!("?action=upload&part=0&start=0&length={length}&{file}");
    let mut answers = vec![send(&server, &mine, &part, &WHOLE[..length]).await];
    if state == State::Deleted {
        let delete = format!("?action=delete&{file}");
        answers.push(send(&server, &mine, &delete, b"").await);
    }
    for answer in answers {
        assert_eq!(answer.body, r#"{"error":0,"msg":""}"#);
    }
    (server, owner)
}

/// What the owner sees of it: the list, its files' bytes, and what *init* says.
async fn seen(server: &Server, owner: &str) -> Vec<String> {
    let mine = [("cookie", owner)];
    let ask = async |method: Method, path: &str| {
        let mut request = crate::support::request(method, path, "");
        let cookie = HeaderValue::from_str(owner).unwrap();
        request.headers_mut().insert("cookie", cookie);
        let answer = server.send(request).await;
        format!(
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )
    };
    let list = ask(Method::GET, "/uploads").await;
    let [(_, init, body), ..] = calls("secret");
    let init = send(server, &mine, &init, &body).await;
    let mut all = vec![String::from_utf8_lossy(&init.body).into_owned()];
    for (at, _) in list.match_indices(r#""id":""#) {
        let id = &list[at + 6..at + 38];
        all.push(ask(Method::GET, &format!("/files/{id}/x")).await);
    }
    all.push(list);
    all
}

#[tokio::test]
async fn for_everybody_else_a_file_is_one_that_never_was() {
    for state in STATES {
        for (who, base) in [
            ("another visitor", ""),
            ("another visitor", SECRET),
            ("nobody", ""),
            ("nobody", SECRET),
            ("an unknown cookie", ""),
            ("an unknown cookie", SECRET),
        ] {
            // A fresh server for each call: what a stranger sends is a file of their own.
            for at in 0..calls("").len() {
                let (server, owner) = prepared(state).await;
                let cookie = match who {
                    "another visitor" => visit(&server, &[]).await,
                    "nobody" => "a=b".to_owned(),
                    _ => UNKNOWN.to_owned(),
                };
                let headers = [("cookie", cookie.as_str())];
                let before = seen(&server, &owner).await;
                let ask = async |name: &str| {
                    let (_, address, body) = calls(name)[at].clone();
                    let answer = send(&server, &headers, &format!("{base}{address}"), &body).await;
                    let body = String::from_utf8(answer.body.to_vec()).unwrap();
                    format!("{} {body}", answer.status)
                };
                let what = format!("{state:?}, {who}{base}, {}", calls("")[at].0);
                // The wrong one first: nothing must come of having asked for the other.
                let (never, real) = (ask("nothing").await, ask("secret").await);
                assert_eq!(real, never, "{what}");
                let is_unknown = real.contains("visitor_unknown");
                assert_eq!(is_unknown, who == "an unknown cookie", "{what}: {real}");
                assert_eq!(seen(&server, &owner).await, before, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_page_elsewhere_changes_nothing_even_with_the_owners_cookie() {
    for state in STATES {
        let (server, owner) = prepared(state).await;
        let before = seen(&server, &owner).await;
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            for (what, address, body) in calls("secret") {
                let headers = [("cookie", owner.as_str()), foreign];
                let answer = send(&server, &headers, &address, &body).await;
                let said = String::from_utf8_lossy(&answer.body);
                assert!(
                    said.starts_with(r#"{"error":403,"#),
                    "{what} {foreign:?}: {said}"
                );
            }
        }
        assert_eq!(seen(&server, &owner).await, before, "{state:?}");
    }
}

#[tokio::test]
async fn the_table_can_fail_each_call_finds_the_owners_own_file() {
    for at in 0..calls("").len() {
        let mut differs = false;
        for state in STATES {
            let (server, owner) = prepared(state).await;
            let before = seen(&server, &owner).await;
            let (_, address, body) = calls("secret")[at].clone();
            let headers = [("cookie", owner.as_str())];
            let real = send(&server, &headers, &address, &body).await;
            let (_, address, body) = calls("nothing")[at].clone();
            let is_found = seen(&server, &owner).await != before;
            let never = send(&server, &headers, &address, &body).await;
            differs |= is_found || real.body != never.body;
        }
        assert!(differs, "{}", calls("")[at].0);
    }
}

#[tokio::test]
async fn no_other_method_does_anything() {
    let (server, owner) = prepared(State::Finished).await;
    let before = seen(&server, &owner).await;
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        for (what, address, body) in calls("secret") {
            for base in ["", SECRET] {
                let mut request = request(&format!("{base}{address}"), body.clone());
                *request.method_mut() = method.parse().unwrap();
                let cookie = HeaderValue::from_str(&owner).unwrap();
                request.headers_mut().insert("cookie", cookie);
                let answer = server.send(request).await;
                let said = String::from_utf8_lossy(&answer.body);
                assert!(!said.contains(r#""error":0"#), "{method} {what}: {said}");
            }
        }
    }
    assert_eq!(seen(&server, &owner).await, before);
}
