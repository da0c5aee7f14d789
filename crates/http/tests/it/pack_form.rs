//! Packs in the shape of a form, as a browser sends whole files.

use axum::body::Body;
use hoist_axum::HttpConfig;
use hoist_protocol::{
    ByteRange, ChunkLayout, ChunkResult, ErrorCode, Limits, PackChunk, PackManifest, Sender,
};
use hoist_store::StoreConfig;
use http::Request;

use crate::support::{Answer, C, Server, bytes, chunk, frames, post};

/// A boundary as Chromium makes them.
const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW5";

/// What Chromium writes of a form with a text and files in it, `files` being runs of chunks of one upload each.
fn form(chunks: &[(PackChunk, &[u8])]) -> Vec<u8> {
    let manifest = PackManifest {
        sender: Sender::new("page").unwrap(),
        attempt: 0,
        chunks: chunks.iter().map(|(chunk, _)| chunk.clone()).collect(),
    };
    let json = serde_json::to_string(&manifest).unwrap();
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\n{json}\r\n"
    )
    .into_bytes();
    for file in chunks.chunk_by(|(one, _), (next, _)| one.upload == next.upload) {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: video/mp4";
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        for (_, bytes) in file {
            body.extend_from_slice(bytes);
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn request(body: impl Into<Body>) -> Request<Body> {
    let mut request = post("/packs", body);
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    request
        .headers_mut()
        .insert("content-type", media_type.parse().unwrap());
    request
}

async fn refused(server: &Server, body: impl Into<Body>) -> (u16, ErrorCode) {
    server.send(request(body)).await.error()
}

#[tokio::test]
async fn whole_files_in_a_form_are_finished_with_their_receipts() {
    for server in Server::both().await {
        // The second looks like what stands between parts: nothing is searched for in it.
        let first = bytes(3 * C + 7);
        let second = format!("\r\n--{BOUNDARY}--\r\n").into_bytes();
        let third = bytes(C);
        let mut chunks = Vec::new();
        for (name, content) in [("a", &first), ("b", &second), ("c", &third)] {
            let size = content.len() as u64;
            let id = server.create(name, size).await.id;
            let layout = ChunkLayout::new(size, C).unwrap();
            chunks.extend((0..layout.count()).map(|index| chunk(id, layout, index, content)));
        }
        let answer: hoist_protocol::PackResponse = server.send(request(form(&chunks))).await.json();
        assert!(
            answer
                .results
                .iter()
                .all(|result| *result == ChunkResult::Acknowledged)
        );
        let hashes: Vec<_> = answer
            .receipts
            .iter()
            .map(|receipt| *receipt.hash.unwrap().as_bytes())
            .collect();
        assert_eq!(
            hashes,
            [&first, &second, &third].map(|content| *blake3::hash(content).as_bytes())
        );
    }
}

#[tokio::test]
async fn a_form_may_be_cut_into_frames_anywhere() {
    let server = Server::memory();
    let content = bytes(C + 3);
    let layout = ChunkLayout::new(C + 3, C).unwrap();
    for size in [1, 2, 3, 50, 4096] {
        let id = server.create(&format!("{size}"), C + 3).await.id;
        let body = form(&[
            chunk(id, layout, 0, &content),
            chunk(id, layout, 1, &content),
        ]);
        let pieces = body.chunks(size).map(<[u8]>::to_vec).collect();
        let answer: hoist_protocol::PackResponse =
            server.send(request(frames(pieces))).await.json();
        assert_eq!(answer.receipts[0].size, C + 3);
    }
}

#[tokio::test]
async fn a_form_that_is_cut_keeps_the_chunks_that_were_whole() {
    let server = Server::memory();
    let content = bytes(3 * C);
    let layout = ChunkLayout::new(3 * C, C).unwrap();
    let id = server.create("a", 3 * C).await.id;
    let chunks: Vec<_> = (0..3)
        .map(|index| chunk(id, layout, index, &content))
        .collect();
    let mut body = form(&chunks);
    body.truncate(body.len() - 5_000);
    assert_eq!(
        refused(&server, frames(vec![body])).await,
        (400, ErrorCode::InvalidRequest)
    );
    assert_eq!(server.received(id).await, [ByteRange::new(0, 2 * C)]);
}

#[tokio::test]
async fn a_form_whose_parts_are_not_as_long_as_the_manifest_says_is_refused() {
    let server = Server::memory();
    let content = bytes(C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let id = server.create("a", 2 * C).await.id;
    let good = form(&[chunk(id, layout, 0, &content)]);
    let end = good.len() - format!("\r\n--{BOUNDARY}--\r\n").len();
    let begin = good.iter().position(|&byte| byte == b'{').unwrap();
    let with = |at: usize, more: &[u8]| [&good[..at], more, &good[at..]].concat();
    for (what, body) in [
        ("longer", with(end, b"x")),
        ("shorter", [&good[..end - 1], &good[end..]].concat()),
        ("goes on", with(good.len(), b"x")),
        (
            "a part too many",
            form(&[chunk(id, layout, 0, &content)]).repeat(2),
        ),
        ("another delimiter", good[2..].to_vec()),
        (
            "a long head",
            with(begin - 4, &[b"\r\nX: ".as_slice(), &[b'x'; 4096]].concat()),
        ),
        ("nothing", Vec::new()),
    ] {
        assert_eq!(
            refused(&server, body).await,
            (400, ErrorCode::InvalidRequest),
            "{what}"
        );
    }
    // A part without a line in its head is one, too.
    let head = b"\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\n";
    let at = good
        .windows(head.len())
        .position(|bytes| bytes == head)
        .unwrap();
    let headless = [&good[..at], b"\r\n\r\n", &good[at + head.len()..]].concat();
    assert_eq!(server.send(request(headless)).await.status, 200);
    // The last line break may be missing, as RFC 2046 has it.
    let bare = good[..good.len() - 2].to_vec();
    assert_eq!(server.send(request(bare)).await.status, 200);
}

#[tokio::test]
async fn a_form_without_a_boundary_and_one_beyond_the_limits_are_refused() {
    let config = StoreConfig {
        limits: Limits {
            pack_size: 4 * C,
            manifest_size: 1000,
            ..Limits::default()
        },
        ..StoreConfig::default()
    };
    let server = Server::with(HttpConfig::default(), config);
    let mut nameless = request(Vec::new());
    nameless
        .headers_mut()
        .insert("content-type", "multipart/form-data".parse().unwrap());
    assert_eq!(
        server.send(nameless).await.error(),
        (400, ErrorCode::InvalidRequest)
    );

    let content = bytes(5 * C);
    let layout = ChunkLayout::new(5 * C, C).unwrap();
    let id = server.create("a", 5 * C).await.id;
    let of = |count| -> Vec<_> {
        (0..count)
            .map(|index| chunk(id, layout, index, &content))
            .collect()
    };
    let too_large = (413, ErrorCode::TooLarge);
    assert_eq!(
        refused(&server, form(&of(4))).await,
        too_large,
        "with its manifest it is more"
    );
    let long_manifest = form(&vec![of(1)[0].clone(); 12]);
    assert_eq!(
        refused(&server, long_manifest).await,
        too_large,
        "a manifest of more than 1000 bytes"
    );
    let answer: Answer = server.send(request(form(&of(3)))).await;
    assert_eq!(answer.status, 200);
}
