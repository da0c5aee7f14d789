//! What the hot paths are given: the same in `cargo bench` and where instructions are counted.

use hoist_engine::Picked;
use hoist_protocol::{
    Checksum, ChunkLayout, CreateAnswer, CreateRequest, CreateResponse, DEFAULT_CHUNK_SIZE, Needed,
    NewFile, PackChunk, PackManifest, Sender, UploadId,
};

/// Who sends.
///
/// # Panics
///
/// Never: the name is a plain one.
#[must_use]
#[expect(clippy::expect_used, reason = "it is a plain name")]
pub fn sender() -> Sender {
    Sender::new("page-0123456789abcdef").expect("a plain name")
}

/// Bytes that look random and are the same each time.
#[must_use]
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    std::iter::from_fn(|| {
        // Multiplied and added to, of which the upper bits are good.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some(state.to_be_bytes()[0])
    })
    .take(bytes)
    .collect()
}

/// The id of upload `number`: all of its digits differ from its neighbours', as random ones do.
#[must_use]
pub fn id(number: u32) -> UploadId {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    UploadId::from_bytes(mixed.to_be_bytes())
}

/// A checksum that differs from that of every other number.
#[must_use]
pub fn checksum(number: u32) -> Checksum {
    let id = id(number);
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(id.as_bytes().iter().cycle()) {
        *to = *from;
    }
    Checksum::from_bytes(bytes)
}

/// A file of so many chunks of 1 MiB.
///
/// # Panics
///
/// If a file cannot have as many.
#[must_use]
#[expect(clippy::expect_used, reason = "a defect of the measurement")]
pub fn layout(chunks: u32) -> ChunkLayout {
    let size = u64::from(chunks) * DEFAULT_CHUNK_SIZE;
    ChunkLayout::new(size, DEFAULT_CHUNK_SIZE).expect("at most 2^20 chunks")
}

/// The manifest of a pack of so many small files.
#[must_use]
pub fn manifest(chunks: u32) -> PackManifest {
    let chunks = (0..chunks)
        .map(|number| PackChunk {
            upload: id(number),
            index: 0,
            length: 10 << 10,
            checksum: Some(checksum(number)),
            last: false,
        })
        .collect();
    PackManifest {
        sender: sender(),
        attempt: 0,
        chunks,
    }
}

/// So many files of one folder, as a browser describes them.
#[must_use]
pub fn picked(files: u32, size: u64) -> Vec<Picked> {
    (0..files)
        .map(|number| Picked {
            name: format!("IMG_{number:06}.jpg"),
            path: "holiday/2024".to_owned(),
            size,
            last_modified: Some(1_700_000_000_000 + i64::from(number)),
            media_type: Some("image/jpeg".to_owned()),
            is_directory: false,
        })
        .collect()
}

/// The same, as they are created.
#[must_use]
pub fn create(files: u32, size: u64) -> CreateRequest {
    let files = picked(files, size)
        .into_iter()
        .map(|picked| NewFile {
            name: picked.name,
            path: picked.path,
            size: Some(picked.size),
            last_modified: picked.last_modified,
            media_type: picked.media_type,
            ..NewFile::default()
        })
        .collect();
    CreateRequest {
        sender: sender(),
        files,
    }
}

/// The answer to that: all of them are needed.
#[must_use]
pub fn created(files: u32) -> CreateResponse {
    let answers = (0..files)
        .map(|number| {
            CreateAnswer::Needed(Needed {
                id: id(number),
                chunk_size: DEFAULT_CHUNK_SIZE,
                received: Vec::new(),
                expires: 1_700_000_000_000,
            })
        })
        .collect();
    CreateResponse { answers }
}

/// A message as it travels.
///
/// # Panics
///
/// Never: every message can be written.
#[must_use]
#[expect(clippy::expect_used, reason = "every message can be written")]
pub fn json(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message")
}
