//! `?action=init`: which files of a list are needed.
//!
//! The list comes in one of three encodings, and no header can be trusted to say which: jQuery sends
//! a string as if it were a form. So the body itself decides.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream;
use hoist_protocol::{CreateAnswer, ErrorCode, NewFile};
use http::{HeaderMap, header};
use multer::Multipart;

use super::{file, json, scope::Scope};
use crate::{ApiError, body::BodyReader, router::Core};

/// Reads the list and answers it, in the order asked.
pub(super) async fn init(
    core: &Core,
    scope: &Scope,
    headers: &HeaderMap,
    reader: BodyReader,
) -> Result<Vec<bool>, ApiError> {
    let mut held = reader.held(core).await?;
    let body = std::mem::take(&mut held.bytes);
    let (Scope::Own(party) | Scope::Nobody(party)) = scope;
    let limits = core.store.limits(core.now(), party).await?;
    let most = usize::try_from(limits.batch).unwrap_or(usize::MAX);
    let files = parse(headers, body, most).await?;
    if let Scope::Nobody(_) = scope {
        // Of nobody nothing is there.
        return Ok(vec![true; files.len()]);
    }
    let found = core.store.find(core.now(), party, &files).await?;
    let is_there = |answer: &CreateAnswer| matches!(answer, CreateAnswer::Present { .. });
    let mut needed: Vec<_> = found
        .iter()
        .map(|found| !found.as_ref().is_some_and(is_there))
        .collect();
    // A file of 0 bytes has no part that a client would send: it is there from now on.
    let is_empty = |file: &NewFile| file.size == Some(0);
    let (places, empty): (Vec<_>, Vec<_>) = needed
        .iter_mut()
        .zip(files)
        .filter(|(needed, file)| **needed && is_empty(file))
        .unzip();
    if !empty.is_empty() {
        let answers = core.store.create(core.now(), party, &empty).await?;
        for (needed, answer) in places.into_iter().zip(&answers) {
            // A refused one stays needed: *upload* says why it is not taken.
            *needed = !is_there(answer);
        }
    }
    Ok(needed)
}

/// A list of at most `most` files, in any of the encodings.
pub(super) async fn parse(
    headers: &HeaderMap,
    body: Vec<u8>,
    most: usize,
) -> Result<Vec<NewFile>, ApiError> {
    if matches!(body.trim_ascii_start().first(), Some(b'[' | b'{')) {
        return json::list(&body, most);
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    let boundary = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| multer::parse_boundary(value).ok());
    let mut fields = Fields {
        most,
        json: None,
        files: BTreeMap::new(),
    };
    if let Some(boundary) = boundary {
        let malformed = |error: multer::Error| invalid("The form is malformed").with_source(error);
        let whole = stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))]);
        let mut form = Multipart::new(whole, boundary);
        while let Some(field) = form.next_field().await.map_err(malformed)? {
            let name = field.name().unwrap_or_default().to_owned();
            // Not as text: multer would take a byte order mark away, with which a name may begin.
            let value = field.bytes().await.map_err(malformed)?;
            fields.take(&name, &String::from_utf8_lossy(&value))?;
        }
    } else {
        for (name, value) in form_urlencoded::parse(&body) {
            fields.take(&name, &value)?;
        }
    }
    fields.list()
}

/// The fields of a form that say something: either one, `data`, with JSON, or jQuery's
/// `data[0][name]`, whatever stands before the number.
#[derive(Debug)]
struct Fields {
    most: usize,
    json: Option<String>,
    /// By number, as PHP would have it, so that the answers are in the order asked.
    files: BTreeMap<u32, Item>,
}

/// One file of a form.
#[derive(Debug, Default)]
struct Item {
    name: Option<String>,
    size: Option<String>,
    last_modified: Option<String>,
}

impl Fields {
    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        if name == "data" {
            self.json = Some(value.to_owned());
        }
        let Some((index, field)) = bracketed(name) else {
            return Ok(());
        };
        if self.files.len() == self.most && !self.files.contains_key(&index) {
            return Err(ApiError::new(
                ErrorCode::TooMany,
                format!("One list may name at most {} files", self.most),
            ));
        }
        let item = self.files.entry(index).or_default();
        let place = match field {
            "name" => &mut item.name,
            "size" => &mut item.size,
            "lastModified" => &mut item.last_modified,
            _ => return Ok(()),
        };
        *place = Some(value.to_owned());
        Ok(())
    }

    fn list(self) -> Result<Vec<NewFile>, ApiError> {
        if let Some(json) = self.json {
            return json::list(json.as_bytes(), self.most);
        }
        if self.files.is_empty() {
            return Err(invalid(
                "The list of files is missing: send it as JSON, as the form field `data`, or as \
                 `data[0][name]` and so on",
            ));
        }
        let files = self.files.iter().map(|(index, item)| {
            let field = |name| match name {
                "name" => item.name.as_deref(),
                "size" => item.size.as_deref(),
                _ => item.last_modified.as_deref(),
            };
            file::file(field).map_err(|missing| lacks(*index, missing))
        });
        files.collect()
    }
}

/// `data[3][name]` and `3[name]`: the number and the field.
fn bracketed(name: &str) -> Option<(u32, &str)> {
    let (rest, field) = name.strip_suffix(']')?.rsplit_once('[')?;
    let index = match rest.strip_suffix(']') {
        Some(rest) => rest.rsplit_once('[')?.1,
        None => rest,
    };
    Some((index.parse().ok()?, field))
}

/// What a file of a list lacks.
pub(super) fn lacks(index: u32, missing: &str) -> ApiError {
    invalid(format!("File {index} of the list lacks {missing}"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_read_as_jquery_writes_them() {
        assert_eq!(bracketed("data[12][name]"), Some((12, "name")));
        assert_eq!(bracketed("files[0][size]"), Some((0, "size")));
        assert_eq!(bracketed("3[lastModified]"), Some((3, "lastModified")));
        for wrong in [
            "",
            "data",
            "data[]",
            "data[name]",
            "data[-1][name]",
            "data[0]name",
            "data]0[name]",
            "[][name]",
            "data[4294967296][name]",
        ] {
            assert_eq!(bracketed(wrong), None, "{wrong}");
        }
    }
}
