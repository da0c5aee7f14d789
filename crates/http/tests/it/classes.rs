//! Attacks that upload servers have fallen to, by the numbers of the table in SECURITY.md. Those that
//! other tests show stand there with their names.

use axum::body::Body;
use hoist_axum::HttpConfig;
use hoist_protocol::{
    ChunkLayout, CreateAnswer, CreateResponse, DeleteRequest, ErrorBody, NewFile, UploadId,
};
use http::{Method, Request};

use crate::support::{Answer, C, Server, bytes, chunk, creates, file, framed, pack, post, request};

/// What has led out of folders, ended strings or meant a device somewhere.
const HOSTILE: [&str; 22] = [
    "../etc/passwd",
    "..",
    ".",
    "",
    "a/../../b",
    "/etc/passwd",
    "//x",
    "a//b",
    "a/./b",
    "..\\..\\x",
    "C:\\x",
    "\\\\host\\share",
    "a\0b",
    "%2e%2e%2f",
    "..%2f",
    "%00",
    "....//",
    "\u{202e}gnp.exe",
    "CON",
    "nul.txt",
    "aux ",
    "a\r\nSet-Cookie: x=1",
];

async fn create(server: &Server, new: NewFile) -> CreateAnswer {
    let body = serde_json::to_vec(&creates(vec![new])).unwrap();
    let answer = server.send(post("/uploads", body)).await;
    answer.json::<CreateResponse>().answers.remove(0)
}

/// Nothing was broken, and nothing was told that is ours alone.
fn is_a_refusal(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{what}: {answer:?}");
    let words = answer.json::<ErrorBody>().message;
    assert!(
        !words.contains("tmp") && !words.contains("os error"),
        "{what}: {words}"
    );
}

#[tokio::test]
async fn s01_no_name_and_no_id_leads_out_of_the_folder() {
    let server = Server::disk(HttpConfig::default()).await;
    let folder = server.data();
    std::fs::write(folder.join("secret"), "secret").unwrap();
    for hostile in HOSTILE {
        for (name, path) in [(hostile, ""), ("a.txt", hostile), (hostile, hostile)] {
            let new = NewFile {
                path: path.to_owned(),
                ..file(name, 1)
            };
            if let CreateAnswer::Needed(needed) = create(&server, new).await {
                let layout = ChunkLayout::new(1, C).unwrap();
                server.pack(&[chunk(needed.id, layout, 0, b"x")]).await;
            }
        }
        for path in [
            format!("/files/{hostile}/x"),
            format!("/uploads/{hostile}"),
            format!("/zip/{hostile}"),
        ] {
            // What no address can be is refused by the parser of addresses.
            if let Ok(call) = Request::builder()
                .uri(format!("/hoist{path}"))
                .body(Body::empty())
            {
                let answer = server.send(call).await;
                assert!(!answer.status.is_success(), "{path}");
                assert!(
                    !answer.body.windows(6).any(|six| six == b"secret"),
                    "{path}"
                );
            }
        }
    }
    // All that came lies where files lie, and nothing else has changed.
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with("catalog.db"));
    names.sort();
    assert_eq!(names, ["files", "incoming", "lock", "secret"]);
    assert_eq!(std::fs::read(folder.join("secret")).unwrap(), b"secret");
    assert!(!folder.parent().unwrap().join("etc").exists());
}

#[tokio::test]
async fn s03_what_was_checked_once_cannot_be_changed_by_a_later_chunk() {
    let server = Server::memory();
    let CreateAnswer::Needed(needed) = create(&server, file("good.txt", 2 * C)).await else {
        panic!("it is new");
    };
    // A manifest with names and paths of its own: they are nothing that a chunk has.
    let manifest = format!(
        r#"{{"sender":"s","attempt":0,"name":"../evil.php","chunks":[{{"upload":"{}","index":0,"length":{C},"name":"../evil.php","path":"/","type":"text/html"}}]}}"#,
        needed.id
    );
    let mut body = framed(manifest.as_bytes());
    body.extend_from_slice(&bytes(2 * C)[..C as usize]);
    assert_eq!(server.send(post("/packs", body)).await.status, 200);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let receipt = server
        .pack(&[chunk(needed.id, layout, 1, &bytes(2 * C))])
        .await
        .receipts
        .remove(0);
    assert_eq!(
        (receipt.name.as_str(), receipt.stored_as.as_str()),
        ("good.txt", "good.txt")
    );
}

#[tokio::test]
async fn s05_s07_what_a_server_or_a_browser_would_run_is_only_ever_a_download() {
    let server = Server::disk(HttpConfig::default()).await;
    let types = [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "application/javascript",
        "application/x-httpd-php",
    ];
    for (n, media_type) in types.into_iter().enumerate() {
        for name in [
            "x.php",
            ".htaccess",
            "x.svg",
            "x.html",
            "x.xml",
            "x.js",
            "x.jsp",
        ] {
            let new = NewFile {
                media_type: Some(media_type.to_owned()),
                path: format!("{n}"),
                ..file(name, 5)
            };
            let receipt = server.upload(new, b"<?php").await;
            let path = format!("/files/{}/{name}", receipt.id);
            let answer = server
                .send(request(Method::GET, &path, Body::empty()))
                .await;
            assert_eq!(
                answer.header("content-type"),
                Some("application/octet-stream"),
                "{name} {media_type}"
            );
            assert!(
                answer
                    .header("content-disposition")
                    .unwrap()
                    .starts_with("attachment")
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(
                answer.header("content-security-policy"),
                Some("sandbox; default-src 'none'")
            );
            assert_eq!(
                answer.header("cross-origin-resource-policy"),
                Some("same-origin")
            );
            // And no program of this machine may be started.
            let file = server.data().join("files").join(&receipt.stored_as);
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &std::fs::metadata(file).unwrap().permissions(),
            );
            assert_eq!(mode & 0o7111, 0, "{name}");
        }
    }
}

#[tokio::test]
async fn s08_numbers_that_are_none_are_refused_and_lengths_are_counted() {
    let server = Server::memory();
    let CreateAnswer::Needed(needed) = create(&server, file("a", 2 * C)).await else {
        panic!("it is new");
    };
    for number in [
        "-1",
        "1.5",
        "1e3",
        "18446744073709551616",
        "99999999999999999999999",
        "\"5\"",
        "null",
        "[]",
        "0x10",
        "NaN",
    ] {
        let body = format!(r#"{{"sender":"s","files":[{{"name":"b","size":{number}}}]}}"#);
        if number != "null" {
            is_a_refusal(&server.send(post("/uploads", body)).await, number);
        }
        for field in ["index", "length"] {
            let other = if field == "index" { "length" } else { "index" };
            let manifest = format!(
                r#"{{"sender":"s","attempt":0,"chunks":[{{"upload":"{}","{field}":{number},"{other}":0}}]}}"#,
                needed.id
            );
            is_a_refusal(
                &server
                    .send(post("/packs", framed(manifest.as_bytes())))
                    .await,
                number,
            );
        }
    }
    // Lengths that overflow together, and more or fewer bytes than were announced.
    let two = |length: u64| {
        let one = |index: u32| {
            format!(
                r#"{{"upload":"{}","index":{index},"length":{length}}}"#,
                needed.id
            )
        };
        framed(
            format!(
                r#"{{"sender":"s","attempt":0,"chunks":[{},{}]}}"#,
                one(0),
                one(1)
            )
            .as_bytes(),
        )
    };
    is_a_refusal(
        &server.send(post("/packs", two(u64::MAX))).await,
        "overflow",
    );
    for wrong in [-1_i64, 1] {
        let layout = ChunkLayout::new(2 * C, C).unwrap();
        let mut body = pack("s", 0, &[chunk(needed.id, layout, 0, &bytes(2 * C))]);
        let length = body
            .len()
            .checked_add_signed(isize::try_from(wrong).unwrap())
            .unwrap();
        body.resize(length, 0);
        let answer = server.send(post("/packs", body)).await;
        assert!(answer.status.is_client_error(), "{wrong}: {answer:?}");
    }
}

#[tokio::test]
async fn s10_no_header_and_no_query_overrides_the_method() {
    let server = Server::memory();
    let receipt = server.upload(file("a", 5), b"hello").await;
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
    ] {
        let mut call = request(
            Method::POST,
            &format!("/uploads/{}", receipt.id),
            Body::empty(),
        );
        call.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(server.send(call).await.status.as_u16(), 405, "{name}");
    }
    let call = request(
        Method::GET,
        &format!("/uploads/{}?_method=DELETE", receipt.id),
        Body::empty(),
    );
    assert!(!server.send(call).await.status.is_success());
    let there = server.get(&format!("/files/{}/a", receipt.id)).await;
    assert_eq!(there.status, 200);
}

#[tokio::test]
async fn s18_a_body_is_never_unpacked() {
    let server = Server::memory();
    // 1 000 zeros, by gzip.
    let packed = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x63, 0x60, 0x18, 5, 0xa3, 0x60, 0x14, 0x0c, 0x77, 0,
        0x9a, 0x6e, 0x94, 0x2a, 0xe8, 3, 0, 0,
    ];
    for coding in ["gzip", "deflate", "br", "zstd"] {
        for path in ["/uploads", "/packs", "/uploads/status", "/form"] {
            let mut call = post(path, packed.to_vec());
            call.headers_mut()
                .insert("content-encoding", coding.parse().unwrap());
            let answer = server.send(call).await;
            assert!(
                answer.status.is_client_error(),
                "{coding} {path}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn s18_json_that_goes_deep_is_refused_and_ends_nothing() {
    let server = Server::memory();
    for depth in [200, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            // Where something else belongs, and in a field that nobody knows, which is passed over.
            let field = format!(
                r#"{{"sender":"s","attempt":0,"files":{deep},"ids":{deep},"chunks":{deep}}}"#
            );
            let unknown = format!(
                r#"{{"sender":"s","attempt":0,"files":[],"ids":[],"chunks":[],"more":{deep}}}"#
            );
            for path in ["/uploads", "/uploads/status", "/uploads/delete", "/packs"] {
                let send = async |json: &str| {
                    let json = json.as_bytes();
                    let body = if path == "/packs" {
                        framed(json)
                    } else {
                        json.to_vec()
                    };
                    server.send(post(path, body)).await
                };
                for json in [&deep, &field] {
                    is_a_refusal(&send(json).await, path);
                }
                assert!(send(&unknown).await.status.as_u16() < 500, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn s19_nothing_from_outside_becomes_a_header_of_ours() {
    let server = Server::memory();
    for name in [
        "a\r\nSet-Cookie: evil=1",
        "a\nX-Evil: 1",
        "a\"; filename=\"evil.exe",
        "a;b=c",
        "ä\u{2028}b",
        "%0d%0aX-Evil: 1",
    ] {
        let new = NewFile {
            media_type: Some("image/png\r\nX-Evil: 1".to_owned()),
            ..file(name, 5)
        };
        let CreateAnswer::Needed(needed) = create(&server, new).await else {
            continue;
        };
        let layout = ChunkLayout::new(5, C).unwrap();
        let receipt = server
            .pack(&[chunk(needed.id, layout, 0, b"hello")])
            .await
            .receipts
            .remove(0);
        let answer = server.get(&format!("/files/{}/x", receipt.id)).await;
        assert_eq!(answer.header("x-evil"), None, "{name:?}");
        assert_eq!(answer.header("set-cookie"), None, "{name:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/octet-stream"),
            "{name:?}"
        );
        let disposition = answer.header("content-disposition").unwrap();
        let encoded = disposition
            .strip_prefix("attachment; filename*=UTF-8''")
            .unwrap();
        assert!(
            encoded
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"%-_.~".contains(&byte)),
            "{disposition}"
        );
    }
}

#[tokio::test]
async fn s20_no_forwarded_header_decides_where_an_answer_leads() {
    let server = Server::memory();
    let body = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--B--\r\n";
    let mut call = post("/form", body);
    for (name, value) in [
        ("content-type", "multipart/form-data; boundary=B"),
        ("accept", "text/html"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
        ("x-forwarded-prefix", "//evil.example"),
    ] {
        call.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = server.send(call).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, Some("/"))
    );
}

#[tokio::test]
async fn s22_addresses_with_ids_are_not_passed_on() {
    let server = Server::memory();
    let receipt = server.upload(file("a", 5), b"hello").await;
    let answer = server.get(&format!("/files/{}/a", receipt.id)).await;
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn s23_knowing_a_hash_or_an_identity_gives_nobody_the_bytes_of_another() {
    let server = Server::memory();
    let receipt = server.upload(file("a", 5), b"hello").await;
    // No call takes a hash instead of an id.
    let hash = receipt.hash.unwrap().to_string();
    for path in [
        format!("/files/{hash}/a"),
        format!("/files/{}/a", &hash[..32]),
    ] {
        assert_eq!(server.get(&path).await.status.as_u16() / 100, 4, "{path}");
    }
    let body = serde_json::json!({ "ids": [&hash[..32]] }).to_string();
    let deleted = server.send(post("/uploads/delete", body)).await;
    assert_eq!(deleted.status, 200);
    let again: DeleteRequest = DeleteRequest {
        ids: vec![UploadId::from_bytes([1; 16])],
    };
    assert_eq!(
        server.post("/uploads/delete", &again).await.body,
        deleted.body,
        "as one that never was"
    );
    assert_eq!(
        server.get(&format!("/files/{}/a", receipt.id)).await.status,
        200
    );
}
