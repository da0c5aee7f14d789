//! The list of *init* in every encoding.

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
