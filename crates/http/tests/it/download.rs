use axum::body::Body;
use hoist_protocol::{ErrorCode, Kind, NewFile, Receipt};
use http::{Method, Request};

use crate::support::{Answer, C, Server, bytes, file, request};

const SIZE: u64 = 9 * C + 5;

async fn get(server: &Server, receipt: &Receipt, headers: &[(&'static str, &str)]) -> Answer {
    let mut request: Request<Body> = request(
        Method::GET,
        &format!("/files/{}/any%2Fname", receipt.id),
        "",
    );
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    server.send(request).await
}

async fn stored(server: &Server) -> Receipt {
    let new = NewFile {
        media_type: Some("image/png".to_owned()),
        ..file("ä \"b\".png", SIZE)
    };
    server.upload(new, &bytes(SIZE)).await
}

#[tokio::test]
async fn a_file_comes_back_whole_as_an_attachment_in_a_sandbox() {
    for server in Server::both().await {
        let receipt = stored(&server).await;
        let answer = get(&server, &receipt, &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, bytes(SIZE));
        for (name, value) in [
            ("content-length", SIZE.to_string().as_str()),
            ("content-type", "image/png"),
            ("accept-ranges", "bytes"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "etag",
                &format!("\"{}\"", blake3::hash(&bytes(SIZE)).to_hex()),
            ),
            (
                "content-disposition",
                "attachment; filename*=UTF-8''%C3%A4%20%22b%22.png",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        let path = format!("/files/{}/x", receipt.id);
        let head = server.send(request(Method::HEAD, &path, "")).await;
        assert_eq!(head.status, 200);
        assert_eq!(
            head.header("content-length"),
            Some(SIZE.to_string().as_str())
        );
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn a_range_is_exactly_what_was_asked() {
    let server = Server::memory();
    let receipt = stored(&server).await;
    let content = bytes(SIZE);
    let tag = format!("\"{}\"", receipt.hash.unwrap());
    let range = async |range: &str| get(&server, &receipt, &[("range", range)]).await;
    let n = SIZE as usize;
    for (asked, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        (
            format!("bytes={}-{}", C - 1, 5 * C),
            C as usize - 1,
            5 * C as usize + 1,
        ),
        (format!("bytes={}-", n - 3), n - 3, n),
        ("bytes=-3".to_owned(), n - 3, n),
        ("bytes=0-99999999999".to_owned(), 0, n),
    ] {
        let answer = range(&asked).await;
        assert_eq!(answer.status, 206, "{asked}");
        assert_eq!(answer.body, &content[from..to], "{asked}");
        let shown = format!("bytes {from}-{}/{SIZE}", to - 1);
        assert_eq!(answer.header("content-range"), Some(shown.as_str()));
        assert_eq!(
            answer.header("content-length"),
            Some((to - from).to_string().as_str())
        );
    }
    let outside = range(&format!("bytes={SIZE}-")).await;
    assert_eq!(outside.error(), (416, ErrorCode::InvalidRequest));
    let shown = format!("bytes */{SIZE}");
    assert_eq!(outside.header("content-range"), Some(shown.as_str()));
    for whole in ["bytes=0-0,2-2", "bytes=x", "lines=0-1"] {
        assert_eq!(range(whole).await.status, 200, "{whole}");
    }

    // If-Range: a part only of the same file.
    for (if_range, status) in [(tag.as_str(), 206), ("\"other\"", 200), ("W/\"x\"", 200)] {
        let headers = [("range", "bytes=0-0"), ("if-range", if_range)];
        assert_eq!(
            get(&server, &receipt, &headers).await.status,
            status,
            "{if_range}"
        );
    }
    let weak = format!("W/{tag}, \"x\"");
    for (known, status) in [
        (tag.as_str(), 304),
        ("\"x\"", 200),
        ("*", 304),
        (&weak, 304),
    ] {
        let answer = get(&server, &receipt, &[("if-none-match", known)]).await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.body.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn no_type_in_which_something_runs_is_answered() {
    let server = Server::memory();
    for (n, said) in [
        "text/html",
        "image/svg+xml",
        "application/javascript",
        "x\u{e9}",
    ]
    .into_iter()
    .enumerate()
    {
        let new = NewFile {
            media_type: Some(said.to_owned()),
            ..file(&format!("{n}.html"), 8)
        };
        let receipt = server.upload(new, b"<script>").await;
        let answer = get(&server, &receipt, &[]).await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/octet-stream"),
            "{said}"
        );
        assert!(
            answer
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment;")
        );
    }
}

#[tokio::test]
async fn empty_files_come_and_folders_and_unfinished_ones_do_not() {
    for server in Server::both().await {
        let empty = server.upload(file("empty", 0), b"").await;
        let answer = get(&server, &empty, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-length")),
            (200, Some("0"))
        );
        let folder = NewFile {
            kind: Kind::Directory,
            ..NewFile::default()
        };
        let folder = NewFile {
            name: "folder".to_owned(),
            ..folder
        };
        let folder = server.upload(folder, b"").await;
        assert_eq!(
            get(&server, &folder, &[]).await.error(),
            (404, ErrorCode::NotFound)
        );
        let unfinished = server.create("u", 5).await;
        let answer = server.get(&format!("/files/{}/u", unfinished.id)).await;
        assert_eq!(answer.error(), (404, ErrorCode::NotFound));
    }
}
