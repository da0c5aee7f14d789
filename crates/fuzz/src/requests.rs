//! Whole requests through the router: the classic dialect, and any other.

use hoist_protocol::{Kind, Millis, RelativePath, UploadStatus};
use hoist_store::ListQuery;
use http::Request;

use crate::server::{Server, block_on, party, post};

/// The files of a server: names, sizes and hashes.
async fn files(server: &Server) -> Vec<String> {
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    let list = server
        .store
        .list(Millis(1_700_000_000_000), &party(), &query)
        .await
        .unwrap();
    let mut files: Vec<_> =
        list.uploads
            .into_iter()
            .map(|upload| match upload {
                UploadStatus::Finished { receipt } => {
                    RelativePath::new(&receipt.path, &receipt.name)
                        .expect("a name that is stored is a name");
                    assert!(
                        !receipt
                            .stored_as
                            .split('/')
                            .any(|part| ["", ".", ".."].contains(&part)),
                        "{receipt:?}"
                    );
                    assert!(receipt.kind == Kind::Directory || receipt.hash.is_some());
                    format!("{} {} {:?}", receipt.stored_as, receipt.size, receipt.hash)
                }
                UploadStatus::Unfinished(upload) => {
                    assert!(upload.received.iter().all(|range| range.start < range.end
                        && range.end <= upload.size.unwrap_or(u64::MAX)));
                    format!("{} {:?} {:?}", upload.name, upload.size, upload.received)
                }
                UploadStatus::Gone(gone) => panic!("{gone:?}"),
            })
            .collect();
    files.sort();
    files
}

/// The query, a line break, the type, a line break, and the body of a request of the jQuery plugin.
pub(crate) fn classic(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let query = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let kind = parts.next().unwrap_or_default().to_vec();
    let body = parts.next().unwrap_or_default();
    block_on(async {
        let server = Server::new().await;
        let request =
            || post(&format!("/server.php?{query}")).header("content-type", kind.as_slice());
        let Ok(plain) = request().body(()) else {
            return;
        };
        drop(plain);
        let mut builder = request();
        builder = builder.header("content-length", body.len());
        server.send(builder, body, 1 << 16).await;
        files(&server).await;
    });
}

/// The method and path on the first line, headers on the next ones, and a body after an empty one.
pub(crate) fn request(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let (method, path) = lines
        .next()
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or_default();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    block_on(async {
        let server = Server::new().await;
        let path = String::from_utf8(server.with_id(path.as_bytes())).unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/hoist{path}"));
        for (name, value) in headers {
            if !["host", "content-length", "transfer-encoding"]
                .contains(&name.to_ascii_lowercase().as_str())
            {
                request = request.header(name, value);
            }
        }
        let body = server.with_id(body.as_bytes());
        server.send(request, &body, 1 << 16).await;
        files(&server).await;
    });
}
