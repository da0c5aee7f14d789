//! Bodies, sent to the router as they would come: in frames of any size.

use std::{collections::BTreeSet, convert::Infallible};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::stream;
use hoist_axum::{Clock, HttpConfig, router};
use hoist_protocol::{
    ChunkResult, CreateAnswer, ListResponse, Millis, NewFile, PackManifest, PackResponse,
    RelativePath, UploadId, UploadStatus,
};
use hoist_store::{Owner, Party, Store, StoreConfig};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::server::block_on as run;

const NOW: Millis = Millis(1_700_000_000_000);

/// How a body comes.
#[derive(Clone, Copy, Debug)]
enum Frames {
    /// Whole, with its length.
    Announced,
    /// In frames of so many bytes, without.
    Of(usize),
}

impl Frames {
    fn body(self, bytes: &[u8]) -> Body {
        let Self::Of(size) = self else {
            return Body::from(bytes.to_vec());
        };
        let frames = bytes
            .chunks(size)
            .map(|frame| Ok::<_, Infallible>(Bytes::from(frame.to_vec())));
        Body::from_stream(stream::iter(frames.collect::<Vec<_>>()))
    }
}

fn server() -> (Store, Router) {
    let store = Store::memory(StoreConfig::default());
    let config = HttpConfig {
        clock: Clock::new(|| NOW),
        ..HttpConfig::default()
    };
    (store.clone(), router(store, config))
}

async fn post(router: &Router, path: &str, media_type: &str, body: Body) -> (StatusCode, Bytes) {
    let request = Request::post(path)
        .header("content-type", media_type)
        .body(body)
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR);
    (parts.status, body.collect().await.unwrap().to_bytes())
}

/// The files that packs of the fuzzer go to: `a…a` has 5 bytes, `b…b` has 8, of `c…c` nobody knows.
const SIZES: [(u8, Option<u64>); 3] = [(0xaa, Some(5)), (0xbb, Some(8)), (0xcc, None)];

/// What a pack came to: its status, its answer, and how the three files stand.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: StatusCode,
    answer: Option<PackResponse>,
    files: Vec<UploadStatus>,
}

/// What a form is sent as.
const FORM: &str = "multipart/form-data; boundary=BOUND";
const PACK: &str = "application/octet-stream";

async fn send(pack: &[u8], media_type: &str, frames: Frames) -> Outcome {
    let (store, router) = server();
    let party = Party::known(Owner::shared());
    let new = SIZES.map(|(byte, size)| NewFile {
        name: format!("{byte}"),
        size,
        ..NewFile::default()
    });
    let created = store.create(NOW, &party, &new).await.unwrap();
    let ids = created.into_iter().map(|answer| match answer {
        CreateAnswer::Needed(needed) => needed.id,
        other => panic!("{other:?}"),
    });
    let ids: Vec<UploadId> = ids.collect();
    let names = || SIZES.map(|(byte, _)| UploadId::from_bytes([byte; 16]).to_string());
    // The ids are random, so that the answers can be compared only by the names of the fuzzer.
    let mut pack = pack.to_vec();
    for (name, id) in names().iter().zip(&ids) {
        replace(&mut pack, name.as_bytes(), id.to_string().as_bytes());
    }
    let (status, answer) = post(&router, "/packs", media_type, frames.body(&pack)).await;
    let files = store.status(NOW, &party, &ids, None).await.unwrap();
    let mut text = serde_json::to_vec(&files).unwrap();
    let mut answer = answer.to_vec();
    for (name, id) in names().iter().zip(&ids) {
        replace(&mut text, id.to_string().as_bytes(), name.as_bytes());
        replace(&mut answer, id.to_string().as_bytes(), name.as_bytes());
    }
    let is_ok = status == StatusCode::OK;
    Outcome {
        status,
        answer: is_ok.then(|| serde_json::from_slice(&answer).unwrap()),
        files: serde_json::from_slice(&text).unwrap(),
    }
}

/// Replaces each occurrence by another text of the same length.
fn replace(text: &mut [u8], from: &[u8], to: &[u8]) {
    for start in 0..text.len().saturating_sub(from.len() - 1) {
        let place = &mut text[start..start + from.len()];
        if place == from {
            place.copy_from_slice(to);
        }
    }
}

/// One byte for the size of frames, then a pack: read alike however it comes, and taken exactly if its
/// lengths are true; what is acknowledged is there.
pub(crate) fn pack(bytes: &[u8]) -> bool {
    let Some((size, pack)) = bytes.split_first() else {
        return false;
    };
    // Whatever it is, as a form it is never more than refused, and read alike however it comes.
    let is_taken = |frames| run(send(pack, FORM, frames)).status == StatusCode::OK;
    assert_eq!(
        is_taken(Frames::Of(usize::from(*size) + 1)),
        is_taken(Frames::Announced)
    );
    let chunks = chunks(pack);
    let outcome = run(send(pack, PACK, Frames::Of(usize::from(*size) + 1)));
    assert_eq!(
        outcome.status == StatusCode::OK,
        chunks.is_some(),
        "{:?}",
        outcome.status
    );
    let announced = run(send(pack, PACK, Frames::Announced));
    assert_eq!(announced.status, outcome.status);
    let (Some(chunks), Some(answer)) = (chunks, &outcome.answer) else {
        return false;
    };
    // Of two chunks of one upload, either may be the first.
    let uploads: BTreeSet<_> = chunks.iter().map(|(id, ..)| *id).collect();
    if uploads.len() == chunks.len() {
        assert_eq!(announced, outcome);
        assert_eq!(run(send(pack, PACK, Frames::Of(1))), outcome);
        if let Some(form) = in_form(pack, &chunks) {
            for frames in [Frames::Announced, Frames::Of(usize::from(*size) + 1)] {
                assert_eq!(run(send(&form, FORM, frames)), outcome);
            }
        }
    }
    assert_eq!(answer.results.len(), chunks.len());
    for ((id, index, content, checksum), result) in chunks.iter().zip(&answer.results) {
        if *result != ChunkResult::Acknowledged {
            continue;
        }
        let known = SIZES
            .iter()
            .find(|(byte, _)| UploadId::from_bytes([*byte; 16]) == *id);
        let (_, size) = known.expect("acknowledged what nobody created");
        assert!(size.is_none_or(|size| (*index, content.len() as u64) == (0, size)));
        let hash = blake3::hash(content);
        if size.is_some() {
            assert!(checksum.is_none_or(|checksum| checksum == *hash.as_bytes()));
        }
    }
    for receipt in &answer.receipts {
        let is_its = |chunk: &&Chunk<'_>| {
            chunk.0 == receipt.id
                && chunk.2.len() as u64 == receipt.size
                && receipt.hash.map(|hash| *hash.as_bytes())
                    == Some(*blake3::hash(chunk.2).as_bytes())
        };
        assert!(
            chunks.iter().any(|chunk| is_its(&chunk)),
            "{receipt:?} of {chunks:?}"
        );
    }
    true
}

type Chunk<'a> = (UploadId, u32, &'a [u8], Option<[u8; 32]>);

/// The chunks of a pack, as PROTOCOL.md has it; `None` if it is none.
fn chunks(pack: &[u8]) -> Option<Vec<Chunk<'_>>> {
    let (length, rest) = pack.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (json, mut rest) = rest.split_at_checked(length)?;
    let manifest: PackManifest = serde_json::from_slice(json).ok()?;
    let mut chunks = Vec::new();
    for chunk in &manifest.chunks {
        let length = usize::try_from(chunk.length).ok()?;
        let (content, after) = rest.split_at_checked(length)?;
        let checksum = chunk.checksum.map(|checksum| *checksum.as_bytes());
        chunks.push((chunk.upload, chunk.index, content, checksum));
        rest = after;
    }
    (rest.is_empty() && chunks.len() <= 1024).then_some(chunks)
}

/// A pack whose chunks are each of an upload of its own, in the shape of a form; `None` if its manifest is not one line.
fn in_form(pack: &[u8], chunks: &[Chunk<'_>]) -> Option<Vec<u8>> {
    let content: usize = chunks.iter().map(|chunk| chunk.2.len()).sum();
    let json = pack.get(4..pack.len() - content)?;
    if json.contains(&b'\r') {
        return None;
    }
    let mut form = Vec::new();
    for part in [json].into_iter().chain(chunks.iter().map(|chunk| chunk.2)) {
        form.extend_from_slice(
            b"--BOUND\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n",
        );
        form.extend_from_slice(part);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--BOUND--\r\n");
    Some(form)
}

/// A path, a name, and a hash: what was stored of a file.
type Stored = (String, String, u64, [u8; 32]);

/// One byte for the size of frames; then `r` and any body, which is read alike however it comes; or
/// `s` and files, with the byte 0xff between them, each a name, the byte 0xfe and its content: what a
/// browser would send of them is stored under these names.
pub(crate) fn form(bytes: &[u8]) -> bool {
    let Some((&[size, kind], rest)) = bytes.split_first_chunk::<2>() else {
        return false;
    };
    let frames = [
        Frames::Announced,
        Frames::Of(usize::from(size) + 1),
        Frames::Of(1),
    ];
    match kind {
        b'r' => {
            // Of two faults in one body the first that is seen is told, and that depends on how much has come.
            let alike = |(status, stored): (StatusCode, _)| {
                let told = (status == StatusCode::SEE_OTHER).then_some(status);
                assert!(told.is_some() || status.is_client_error(), "{status}");
                (told, stored)
            };
            let [first, second, third] = frames.map(|frames| alike(run(submit(rest, frames))));
            assert_eq!(first, second);
            assert_eq!(first, third);
            first.0.is_some()
        }
        b's' => {
            let Some((body, expected)) = encode(rest) else {
                return false;
            };
            for frames in frames {
                let found = run(submit(&body, frames));
                assert_eq!(found, expected, "{}", String::from_utf8_lossy(&body));
            }
            expected.0 == StatusCode::SEE_OTHER
        }
        _ => false,
    }
}

async fn submit(body: &[u8], frames: Frames) -> (StatusCode, Vec<Stored>) {
    let (_store, router) = server();
    let (status, _) = post(&router, "/form", FORM, frames.body(body)).await;
    let request = Request::get("/uploads?limit=1000")
        .body(Body::empty())
        .unwrap();
    let list = router.oneshot(request).await.unwrap();
    let list = list.into_body().collect().await.unwrap().to_bytes();
    let list: ListResponse = serde_json::from_slice(&list).unwrap();
    let stored = list.uploads.into_iter().map(|row| match row {
        UploadStatus::Finished { receipt } => {
            let hash = *receipt.hash.unwrap().as_bytes();
            (receipt.path, receipt.name, receipt.size, hash)
        }
        other => panic!("a form left something unfinished: {other:?}"),
    });
    let mut stored: Vec<_> = stored.collect();
    stored.sort();
    (status, stored)
}

/// A form as a browser writes it (WHATWG, "multipart/form-data encoding algorithm"), and what is then
/// stored: all files up to the first whose name is not allowed.
/// A body, and what becomes of it: the status, and what is stored.
type Encoded = (Vec<u8>, (StatusCode, Vec<Stored>));

fn encode(files: &[u8]) -> Option<Encoded> {
    let (mut body, mut stored) = (Vec::new(), Vec::new());
    let mut status = StatusCode::SEE_OTHER;
    for file in files.split(|byte| *byte == 0xff) {
        let place = file.iter().position(|byte| *byte == 0xfe)?;
        let (name, content) = (str::from_utf8(&file[..place]).ok()?, &file[place + 1..]);
        // A browser chooses another boundary then. No header can hold the other characters.
        let is_boundary = content.windows(7).any(|bytes| bytes == b"--BOUND");
        let is_no_header = |c: char| c.is_ascii_control() && !"\r\n\t".contains(c);
        if is_boundary || name.contains(is_no_header) {
            return None;
        }
        let name = name
            .replace('\n', "%0A")
            .replace('\r', "%0D")
            .replace('"', "%22");
        let head = format!(
            "--BOUND\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
        if status != StatusCode::SEE_OTHER || name.is_empty() && content.is_empty() {
            continue;
        }
        let (folder, name) = name.rsplit_once('/').unwrap_or(("", &name));
        if RelativePath::new(folder, name).is_err() {
            status = StatusCode::UNPROCESSABLE_ENTITY;
            continue;
        }
        let hash = *blake3::hash(content).as_bytes();
        stored.push((
            folder.to_owned(),
            name.to_owned(),
            content.len() as u64,
            hash,
        ));
    }
    body.extend_from_slice(b"--BOUND--\r\n");
    stored.sort();
    Some((body, (status, stored)))
}
