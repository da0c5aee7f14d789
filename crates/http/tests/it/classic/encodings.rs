//! The list of *init* in every encoding.

use hoist_axum::HttpConfig;
use hoist_store::StoreConfig;
use serde_json::{Value, json};

use super::{call, named, part, request, said};
use crate::support::Server;

#[tokio::test]
async fn init_is_read_in_every_encoding_and_answered_in_the_order_asked() {
    let server = Server::memory();
    let there = named("b%20%5B1%5D.txt", 3, 2);
    assert_eq!(
        said(&part(&server, "", &there, 0, b"abc").await),
        (200, 0, String::new())
    );
    let json = r#"[{"name":"a","size":5,"lastModified":1},{"name":"b [1].txt","size":3,"lastModified":2,"type":"x"},{"lastModified":"3","size":"7","name":"c"}]"#;
    let mut encoded = String::new();
    for byte in json.bytes() {
        encoded.push_str(&format!("%{byte:02X}"));
    }
    let brackets = "data[0][name]=a&data[0][size]=5&data[0][lastModified]=1\
        &data[1][name]=b+%5B1%5D.txt&data[1][size]=3&data[1][lastModified]=2\
        &data[2][name]=c&data[2][size]=7&data[2][lastModified]=3";
    let escaped = brackets.replace('[', "%5B").replace(']', "%5D");
    let bare = brackets
        .replace("data[0]", "0")
        .replace("data[1]", "1")
        .replace("data[2]", "2");
    // The second by name before the first: the number counts.
    let (first, rest) = brackets.split_at(brackets.find("&data[1]").unwrap());
    let shuffled = format!("{}&{first}", &rest[1..]);
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let data = format!("{}{}--B--\r\n", part("other", "x"), part("data", json));
    let mut fields = String::new();
    for (name, value) in form_fields() {
        fields.push_str(&part(name, value));
    }
    let fields = format!("{fields}--B--\r\n");
    let form = "application/x-www-form-urlencoded";
    for (content_type, body) in [
        ("application/json", json.to_owned()),
        ("text/plain", format!("\n {json}\n")),
        (form, json.to_owned()),
        (form, format!("data={encoded}")),
        (form, format!("x=1&data={encoded}")),
        (form, brackets.to_owned()),
        (form, escaped),
        (form, bare),
        (form, shuffled),
        ("multipart/form-data; boundary=B", data),
        ("multipart/form-data; boundary=B", fields),
    ] {
        let mut request = request("?action=init", body.clone());
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
        let answer = server.send(request).await;
        assert_eq!(
            answer.json::<Value>(),
            json!({"error": 0, "msg": "", "data": [true, false, true]}),
            "{body}"
        );
    }
    let empty = call(&server, "?action=init", "[]").await;
    assert_eq!(empty.json::<Value>()["data"], json!([]));
}

fn form_fields() -> [(&'static str, &'static str); 9] {
    [
        ("files[0][name]", "a"),
        ("files[0][size]", "5"),
        ("files[0][lastModified]", "1"),
        ("files[1][name]", "b [1].txt"),
        ("files[1][size]", "3"),
        ("files[1][lastModified]", "2"),
        ("files[2][name]", "c"),
        ("files[2][size]", "7"),
        ("files[2][lastModified]", "3"),
    ]
}

/// The blocks of text in the page that begin with `start`.
fn of_the_page(start: &str) -> Vec<&'static str> {
    let page = include_str!("../../../../../PROTOCOL.md");
    let blocks = page.split("\n```text\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("\n```").next())
        .filter(|block| block.starts_with(start))
        .collect()
}

#[tokio::test]
async fn the_examples_of_the_page_are_read_and_written_as_they_stand() {
    let server = Server::memory();
    let lists = of_the_page("[{");
    let lists: Vec<_> = lists.iter().flat_map(|block| block.lines()).collect();
    assert_eq!(lists.len(), 3);
    for is_needed in [true, false] {
        for list in &lists {
            let answer = server
                .send(request("?action=init", (*list).to_owned()))
                .await;
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body, json!({"error": 0, "msg": "", "data": [is_needed]}));
        }
        let file = named("a.txt", 5, 1_760_000_000_000);
        part(&server, "", &file, 0, b"hello").await;
    }
    // The refusal too, of a server that takes 5 bytes and no more.
    let refusals = of_the_page("HTTP/1.1 200 OK");
    let [refusal] = refusals[..] else {
        panic!("{refusals:?}")
    };
    let mut config = StoreConfig::default();
    config.limits.file_size = 5;
    let server = Server::with(HttpConfig::default(), config);
    let answer = part(&server, "", &named("b", 9, 1), 0, b"123456789").await;
    assert_eq!(said(&answer).0, 200);
    assert_eq!(refusal.lines().last().unwrap().as_bytes(), &answer.body[..]);
}
