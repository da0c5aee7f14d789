use axum::body::Body;
use hoist_protocol::{ErrorCode, FormResponse, Limits, ListResponse, UploadStatus};
use hoist_store::StoreConfig;
use http::Request;

use crate::support::{Answer, C, Server, bytes, frames, post};

const TYPE: &str = "multipart/form-data; boundary=BOUND";

/// One part of a form.
fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--BOUND\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/plain\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--BOUND--\r\n"].concat()
}

fn sending(body: impl Into<Body>, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = post("/form", body);
    request
        .headers_mut()
        .insert("content-type", TYPE.parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn rows(server: &Server) -> Vec<UploadStatus> {
    server
        .get("/uploads?limit=100")
        .await
        .json::<ListResponse>()
        .uploads
}

#[tokio::test]
async fn each_file_of_a_form_is_stored_and_the_person_goes_back() {
    for server in Server::both().await {
        // What looks like an end inside a file is not one.
        let big = [bytes(5 * C + 3), b"\r\n--BOUN\r\n\r\n--".to_vec()].concat();
        let body = form(&[
            part("name=\"comment\"", b"hello"),
            part("name=\"files\"; filename=\"\u{6587}\u{4ef6}.bin\"", &big),
            part("name=\"files\"; filename=\"empty.txt\"", b""),
            part("name=\"files\"; filename=\"folder/inner/a.txt\"", b"abc"),
            part("name=\"untouched\"; filename=\"\"", b""),
        ]);
        for (n, body) in [
            Body::from(body.clone()),
            frames(body.chunks(1000).map(<[u8]>::to_vec).collect()),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = server
                .send(sending(
                    body,
                    &[("referer", "http://hoist.example/page?a=1")],
                ))
                .await;
            assert_eq!(answer.status, 303, "{answer:?}");
            assert_eq!(answer.header("location"), Some("/page?a=1"));
            let mut stored: Vec<_> = rows(&server)
                .await
                .into_iter()
                .map(|row| match row {
                    UploadStatus::Finished { receipt } => receipt,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(stored.len(), 3 * (n + 1));
            stored.sort_by_key(|receipt| receipt.finished);
            let by_name = |name: &str| stored.iter().rfind(|receipt| receipt.name == name).unwrap();
            let hash = |name| *by_name(name).hash.unwrap().as_bytes();
            assert_eq!(hash("文件.bin"), *blake3::hash(&big).as_bytes());
            assert_eq!(hash("empty.txt"), *blake3::hash(b"").as_bytes());
            assert_eq!(hash("a.txt"), *blake3::hash(b"abc").as_bytes());
            assert_eq!(by_name("a.txt").path, "folder/inner");
            assert_eq!(by_name("a.txt").media_type.as_deref(), Some("text/plain"));
        }
    }
}

#[tokio::test]
async fn a_program_gets_the_receipts_in_the_order_of_the_form() {
    for server in Server::both().await {
        let names = ["b.bin", "empty.txt", "a/a.txt", "b.bin"];
        let contents = [bytes(C + 1), Vec::new(), b"abc".to_vec(), bytes(C + 2)];
        let heads = names.map(|name| format!("name=\"file\"; filename=\"{name}\""));
        let parts: Vec<_> = heads
            .iter()
            .zip(&contents)
            .map(|(head, content)| part(head, content))
            .collect();
        let body = form(&parts);
        let send = |accept| server.send(sending(Body::from(body.clone()), &[("accept", accept)]));
        let answer = send("application/json").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let receipts = answer.json::<FormResponse>().receipts;
        let found = receipts.iter().map(|receipt| {
            (
                receipt.stored_as.as_str(),
                receipt.size,
                *receipt.hash.unwrap().as_bytes(),
            )
        });
        let stored_as = ["b.bin", "empty.txt", "a/a.txt", "b (2).bin"];
        let wanted = stored_as.iter().zip(&contents).map(|(name, content)| {
            (
                *name,
                content.len() as u64,
                *blake3::hash(content).as_bytes(),
            )
        });
        assert!(found.eq(wanted), "{receipts:?}");
        // curl without its `@`: a program is told that it has sent no file; a field that was left untouched is nothing wrong.
        let of = |part, accept| {
            let body = Body::from(form(&[part]));
            server.send(sending(body, &[("accept", accept)]))
        };
        for accept in ["*/*", "application/json"] {
            let answer = of(part("name=\"file\"", b"hello"), accept).await;
            assert_eq!(answer.error(), (400, ErrorCode::InvalidRequest));
        }
        let untouched = part("name=\"file\"; filename=\"\"", b"");
        let answer = of(untouched, "application/json").await;
        assert_eq!(answer.json::<FormResponse>().receipts, []);
        // A browser accepts everything, and goes back to its page.
        assert_eq!(send("text/html,application/json,*/*").await.status, 303);
        assert_eq!(send("*/*").await.status, 303);
    }
}

#[tokio::test]
async fn the_way_back_never_leads_to_another_host() {
    let server = Server::memory();
    for (referer, location) in [
        ("http://hoist.example/", "/"),
        ("http://hoist.example/a?hoist-error=x&b=1", "/a?b=1"),
        ("http://evil.example/a", "/"),
        ("http://hoist.example//evil.example", "/"),
        ("//evil.example/a", "/"),
        ("nonsense", "/"),
    ] {
        let headers = [("referer", referer), ("accept", "text/html")];
        let answer = server.send(sending(form(&[]), &headers)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(answer.header("location"), Some(location), "{referer}");
    }
}

#[tokio::test]
async fn a_form_that_fails_leaves_nothing_and_says_so() {
    let limits = Limits {
        file_size: 2 * C,
        batch: 3,
        ..Limits::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    let server = Server::with(hoist_axum::HttpConfig::default(), store);
    let named = |n: usize| part(&format!("name=\"f\"; filename=\"{n}\""), b"x");
    let good = form(&[part("name=\"f\"; filename=\"a\"", &bytes(C))]);
    let long_head = format!("name=\"f\"; filename=\"{}\"", "a".repeat(3 << 20));
    for (what, body, error) in [
        (
            "a file that is too large",
            form(&[part("name=\"f\"; filename=\"a\"", &bytes(2 * C + 1))]),
            (413, ErrorCode::TooLarge),
        ),
        (
            "a name that leaves its folder",
            form(&[part("name=\"f\"; filename=\"../a\"", b"x")]),
            (422, ErrorCode::NameNotAllowed),
        ),
        (
            "a cut",
            good[..good.len() - 20].to_vec(),
            (400, ErrorCode::InvalidRequest),
        ),
        ("nothing", Vec::new(), (400, ErrorCode::InvalidRequest)),
        ("noise", vec![b'-'; 3 << 20], (413, ErrorCode::TooLarge)),
        (
            "a head without end",
            form(&[part(&long_head, b"x")]),
            (413, ErrorCode::TooLarge),
        ),
    ] {
        let pieces = || frames(body.chunks(10_000).map(<[u8]>::to_vec).collect());
        let answer: Answer = server.send(sending(pieces(), &[])).await;
        assert_eq!(answer.error(), error, "{what}");
        assert!(rows(&server).await.is_empty(), "{what}");
        // A person is taken back to the page, which can say why.
        let html = [
            ("accept", "text/html"),
            ("referer", "http://hoist.example/p?q"),
        ];
        let answer = server.send(sending(pieces(), &html)).await;
        let shown = format!("/p?q&hoist-error={}", error.1);
        assert_eq!(answer.header("location"), Some(shown.as_str()), "{what}");
    }
    let many = form(&(0..4).map(named).collect::<Vec<_>>());
    let answer = server.send(sending(many, &[])).await;
    assert_eq!(answer.error(), (413, ErrorCode::TooMany));
    assert_eq!(
        rows(&server).await.len(),
        3,
        "what was whole before is kept"
    );
    for content_type in [
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
    ] {
        let mut request = sending(form(&[]), &[]);
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
        let answer = server.send(request).await;
        assert_eq!(
            answer.error(),
            (400, ErrorCode::InvalidRequest),
            "{content_type}"
        );
    }
}
