//! What a server allows, in numbers.

use serde::{Deserialize, Serialize};

use crate::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, MAX_FILE_SIZE, MIN_CHUNK_SIZE};

/// What a server allows; the answer of `GET /limits`. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Smallest chunk size. Default 64 KiB.
    pub min_chunk_size: u64,
    /// Largest chunk size. Default 16 MiB.
    pub max_chunk_size: u64,
    /// Chunk size for those who wish for none. Default 1 MiB.
    pub chunk_size: u64,
    /// Largest body of a pack, manifest included. Default 32 MiB.
    pub pack_size: u64,
    /// Largest manifest of a pack. Default 256 KiB.
    pub manifest_size: u64,
    /// Most chunks in a pack. Default 1 024.
    pub pack_chunks: u32,
    /// Most files in one create, and most ids in one status or delete. Default 1 000.
    pub batch: u32,
    /// Largest file. Default 16 TiB.
    pub file_size: u64,
    /// Smallest file. Default 0.
    pub min_file_size: u64,
    /// Most unfinished uploads of one visitor. Default 100 000.
    pub unfinished: u64,
    /// Types that are taken, as `image/png`, `image/*` or `.png`; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Bytes this visitor may still reserve; absent if there is no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_left: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_chunk_size: MIN_CHUNK_SIZE,
            max_chunk_size: MAX_CHUNK_SIZE,
            chunk_size: DEFAULT_CHUNK_SIZE,
            pack_size: 32 << 20,
            manifest_size: 256 << 10,
            pack_chunks: 1024,
            batch: 1000,
            file_size: MAX_FILE_SIZE,
            min_file_size: 0,
            unfinished: 100_000,
            types: Vec::new(),
            quota_left: None,
        }
    }
}

impl Limits {
    /// Whether a file of this name and media type is taken, by [`Limits::types`].
    ///
    /// ```
    /// # use hoist_protocol::Limits;
    /// let limits = Limits { types: vec!["image/*".into(), ".pdf".into()], ..Limits::default() };
    /// assert!(limits.takes_type("a.PNG", Some("image/png")));
    /// assert!(limits.takes_type("a.PDF", None));
    /// assert!(!limits.takes_type("a.exe", Some("application/x-msdownload")));
    /// ```
    #[must_use]
    pub fn takes_type(&self, name: &str, media_type: Option<&str>) -> bool {
        type_is_listed(&self.types, name, media_type)
    }
}

/// The rule of an `accept` attribute: `.ext`, `type/subtype` or `type/*`, in capitals or not, as HTML
/// says (ASCII); an empty list takes all.
pub(crate) fn type_is_listed(types: &[String], name: &str, media_type: Option<&str>) -> bool {
    let media_type = media_type.unwrap_or_default();
    types.is_empty()
        || types.iter().any(|wanted| {
            let wanted = wanted.trim();
            let is_wanted = |text: Option<&str>, wanted: &str| {
                text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
            };
            if wanted.starts_with('.') {
                let start = name.len().checked_sub(wanted.len());
                is_wanted(start.and_then(|start| name.get(start..)), wanted)
            } else if let Some(family) = wanted.strip_suffix("/*") {
                family == "*" || is_wanted(media_type.split('/').next(), family)
            } else {
                is_wanted(media_type.split(';').next().map(str::trim_end), wanted)
            }
        })
}
