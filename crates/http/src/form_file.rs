//! The name of a file in a part of a form.
//!
//! multer takes a backslash before the last quote for an escape. Browsers escape with `%22` and write
//! a backslash as it is, so it would take the file `a\` for a field of text: it would be lost.

use hoist_protocol::ErrorCode;
use http::{HeaderMap, header};

use crate::ApiError;

/// The `filename` of a part, by its headers; `None` if it is a field of text.
pub(crate) fn file_name(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let value = headers
        .get(header::CONTENT_DISPOSITION)
        .map_or(&b""[..], |value| value.as_bytes());
    let mut rest = after(value, b';');
    while let Some(parameter) = rest {
        let (name, value) = match parameter.iter().position(|byte| *byte == b'=') {
            Some(equals) => parameter.split_at(equals),
            None => return Ok(None),
        };
        let value = value.get(1..).unwrap_or_default().trim_ascii_start();
        let (value, behind) = match value.strip_prefix(b"\"") {
            Some(quoted) => split_quoted(quoted),
            None => {
                let (value, behind) = split(value, value.iter().position(|byte| *byte == b';'));
                (value.trim_ascii_end(), behind)
            }
        };
        if name.trim_ascii().eq_ignore_ascii_case(b"filename") {
            // Files are not dropped in silence.
            let name = str::from_utf8(value).map_err(|_| not_utf8())?;
            return Ok(Some(name.replace("\\\"", "\"")));
        }
        rest = after(behind, b';');
    }
    Ok(None)
}

/// What stands before a quote behind which nothing or another parameter follows, and what does.
fn split_quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let ends = |(at, byte): (usize, &u8)| {
        let behind = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
        (*byte == b'"' && matches!(behind.first(), None | Some(b';'))).then_some(at)
    };
    split(text, text.iter().enumerate().find_map(ends))
}

fn split(text: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    text.split_at(at.unwrap_or(text.len()))
}

/// What follows the first of these bytes.
fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    let at = text.iter().position(|found| *found == byte)?;
    text.get(at + 1..)
}

fn not_utf8() -> ApiError {
    ApiError::new(
        ErrorCode::NameNotAllowed,
        "The name of a file in the form is not in UTF-8",
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn name(disposition: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(disposition).unwrap();
        file_name(&HeaderMap::from_iter([(
            header::CONTENT_DISPOSITION,
            value,
        )]))
        .unwrap()
    }

    #[test]
    fn names_are_read_as_browsers_and_older_programs_write_them() {
        for (written, read) in [
            (r#"form-data; name="f"; filename="a.txt""#, "a.txt"),
            (r#"form-data; name="f"; filename="a\""#, r"a\"),
            (r#"form-data; name="f\"; filename="a\b""#, r"a\b"),
            (r#"form-data; name="f"; filename="a\"b""#, r#"a"b"#),
            (
                r#"form-data; name="f"; filename="a; filename=b""#,
                "a; filename=b",
            ),
            (r#"form-data; name="filename=x"; filename="a%22""#, "a%22"),
            (
                r#"form-data; filename*=UTF-8''b; FileName = "a" ; x=y"#,
                "a",
            ),
            ("form-data; name=f; filename=a.txt", "a.txt"),
            (r#"form-data; name="f"; filename="""#, ""),
            (r#"form-data; name="f"; filename="文件 ""#, "文件 "),
        ] {
            assert_eq!(name(written.as_bytes()).as_deref(), Some(read), "{written}");
        }
        for text in [
            "",
            "form-data",
            "form-data; name=\"filename\"",
            "form-data; filename",
        ] {
            assert_eq!(name(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_name_in_another_encoding_is_refused_and_its_file_not_dropped() {
        let value = HeaderValue::from_bytes(b"form-data; filename=\"a\xe9\"").unwrap();
        let headers = HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]);
        assert_eq!(
            file_name(&headers).unwrap_err().code(),
            ErrorCode::NameNotAllowed
        );
    }
}
