//! A pack in the shape of a form: the frame of `multipart/form-data` around the same bytes.
//!
//! Chromium reads a whole file for the network by itself if it stands in a form, and for a tenth of
//! what a `Blob` costs it (DESIGN.md, "Why may a pack be a form?"). Nothing is searched for in the
//! bytes: the manifest says how long each part is.

use hoist_protocol::ErrorCode;
use http::{HeaderMap, header};

use crate::{
    ApiError,
    body::{BodyReader, too_short},
};

/// What the frame of all parts together may take, beyond the size of a pack.
pub(crate) const FRAME_SIZE: u64 = 64 << 10;
/// Longest head of one part; a browser's has 150 bytes.
const HEAD_SIZE: usize = 2 << 10;

/// The frame of one request.
#[derive(Debug)]
pub(crate) struct PackForm {
    /// What stands between two parts; without its first line break before the first.
    delimiter: Vec<u8>,
    is_begun: bool,
}

impl PackForm {
    /// The frame that these headers announce; `None` if the pack comes as it is.
    pub(crate) fn announced(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(media_type) = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .filter(|value| {
                value
                    .to_ascii_lowercase()
                    .starts_with("multipart/form-data")
            })
        else {
            return Ok(None);
        };
        let boundary = multer::parse_boundary(media_type)
            .ok()
            .filter(|boundary| (1..=70).contains(&boundary.len()))
            .ok_or_else(|| malformed("names no boundary of 1 to 70 characters"))?;
        Ok(Some(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            is_begun: false,
        }))
    }

    /// Reads up to the first byte of the next part.
    ///
    /// # Errors
    ///
    /// `invalid_request` if something else stands there: a part is as long as the manifest says.
    pub(crate) async fn open(&mut self, reader: &mut BodyReader) -> Result<(), ApiError> {
        self.delimiter(reader).await?;
        expect(reader, b"\r\n").await?;
        let mut head = Vec::new();
        // An empty line ends it; a part without any line in its head begins with one.
        while !(head.ends_with(b"\r\n\r\n") || head == b"\r\n") {
            if head.len() >= HEAD_SIZE {
                return Err(malformed("has a part whose head is too long"));
            }
            let byte = reader.next(1).await?.ok_or_else(too_short)?;
            head.extend_from_slice(&byte);
        }
        Ok(())
    }

    /// Reads the end of the frame; what follows it is the caller's to refuse.
    pub(crate) async fn close(mut self, reader: &mut BodyReader) -> Result<(), ApiError> {
        self.delimiter(reader).await?;
        expect(reader, b"--").await?;
        match reader.next(2).await? {
            None => Ok(()),
            Some(bytes) if b"\r\n".starts_with(&bytes) => {
                expect(reader, b"\r\n".get(bytes.len()..).unwrap_or_default()).await
            }
            Some(_) => Err(malformed("goes on after its end")),
        }
    }

    async fn delimiter(&mut self, reader: &mut BodyReader) -> Result<(), ApiError> {
        let from = if self.is_begun { 0 } else { 2 };
        self.is_begun = true;
        expect(reader, self.delimiter.get(from..).unwrap_or_default()).await
    }
}

/// Reads these bytes and no others.
async fn expect(reader: &mut BodyReader, mut wanted: &[u8]) -> Result<(), ApiError> {
    while !wanted.is_empty() {
        let bytes = reader
            .next(wanted.len() as u64)
            .await?
            .ok_or_else(too_short)?;
        wanted = wanted
            .strip_prefix(&bytes[..])
            .ok_or_else(|| malformed("has a part of another length than the manifest says"))?;
    }
    Ok(())
}

fn malformed(how: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidRequest,
        format!("The form around the pack {how}"),
    )
}
