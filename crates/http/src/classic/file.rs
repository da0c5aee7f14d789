//! What a query or a list says of a file.

use std::borrow::Cow;

use hoist_protocol::{ByteRange, ErrorCode, NewFile};

use crate::ApiError;

/// A part of a file, as *upload* names it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: NewFile,
    pub(super) range: ByteRange,
}

/// The query of a call. Of a field that is there twice the last one counts, as in PHP.
#[derive(Debug)]
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        let pair = self.0.iter().rev().find(|(name, _)| name == wanted)?;
        Some(&pair.1)
    }

    pub(super) fn action(&self) -> Option<&str> {
        self.get("action")
    }

    /// The file that it names.
    pub(super) fn file(&self) -> Result<NewFile, ApiError> {
        file(|field| self.get(field)).map_err(|missing| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                format!("The address lacks {missing}"),
            )
        })
    }

    /// The part that it names. `part`, a number that the plugin counts up, says nothing more.
    pub(super) fn part(&self) -> Result<Part, ApiError> {
        let file = self.file()?;
        let number = |name| {
            let value = self.get(name).and_then(whole_number);
            value.ok_or_else(|| {
                let message = format!("The address lacks `{name}`, a whole number of bytes");
                ApiError::new(ErrorCode::InvalidRequest, message)
            })
        };
        let (start, length) = (number("start")?, number("length")?);
        let size = file.size.unwrap_or(0);
        match start.checked_add(length) {
            Some(end) if end <= size => Ok(Part {
                file,
                range: ByteRange::new(start, end),
            }),
            _ => Err(ApiError::new(
                ErrorCode::InvalidRequest,
                format!("`start` and `length` reach beyond the {size} bytes of the file"),
            )),
        }
    }
}

/// A file from its three fields; what is missing, if something is.
pub(super) fn file<'a>(
    field: impl Fn(&'static str) -> Option<&'a str>,
) -> Result<NewFile, &'static str> {
    let name = field("name").ok_or("`name`")?;
    let size = field("size").and_then(whole_number);
    let last_modified = field("lastModified").and_then(time);
    // Browsers that send a folder put the path of each file into its name.
    let (path, name) = name.rsplit_once('/').unwrap_or(("", name));
    Ok(NewFile {
        name: name.to_owned(),
        path: path.to_owned(),
        size: Some(size.ok_or("`size`, a whole number of bytes")?),
        // Without a time nothing earlier could ever be found.
        last_modified: Some(last_modified.ok_or("`lastModified`, in whole milliseconds")?),
        ..NewFile::default()
    })
}

/// Digits and nothing else: what another program would read as another number is none.
fn whole_number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// As [`whole_number`]; files may be from before 1970.
fn time(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(digits) => whole_number(digits).and_then(|ms| 0_i64.checked_sub_unsigned(ms)),
        None => whole_number(text).and_then(|ms| i64::try_from(ms).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(query: &str) -> Result<Part, String> {
        Query::parse(query)
            .part()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_is_what_the_address_says() {
        let query = "part=7&start=5&length=2&size=7&lastModified=-3&name=a%2Fb+c%20%E4%BD%A0.txt";
        let Part { file, range } = part(query).unwrap();
        assert_eq!(range, ByteRange::new(5, 7));
        assert_eq!(
            (file.path.as_str(), file.name.as_str()),
            ("a", "b c 你.txt")
        );
        assert_eq!((file.size, file.last_modified), (Some(7), Some(-3)));
        // The last one counts.
        let twice = part(&format!("size=1&{query}&start=6&length=0")).unwrap();
        assert_eq!(twice.range, ByteRange::new(6, 6));
    }

    #[test]
    fn numbers_are_digits_and_parts_lie_within_the_file() {
        let query = |start: &str, length: &str, size: &str, time: &str| {
            format!("start={start}&length={length}&size={size}&lastModified={time}&name=a")
        };
        assert!(part(&query("0", "10", "10", "0")).is_ok());
        for (start, length, size, time, said) in [
            ("%2B1", "1", "10", "0", "`start`"),
            ("-1", "1", "10", "0", "`start`"),
            ("", "1", "10", "0", "`start`"),
            ("1e3", "1", "10", "0", "`start`"),
            ("0", "0x1", "10", "0", "`length`"),
            ("0", "1", "10.0", "0", "`size`"),
            ("0", "1", "18446744073709551616", "0", "`size`"),
            ("0", "1", "10", "Mon Nov 23 2026", "`lastModified`"),
            ("0", "1", "10", "--1", "`lastModified`"),
            ("0", "11", "10", "0", "beyond the 10 bytes"),
            ("10", "1", "10", "0", "beyond the 10 bytes"),
            (
                "18446744073709551615",
                "2",
                "10",
                "0",
                "beyond the 10 bytes",
            ),
        ] {
            let error = part(&query(start, length, size, time)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = part("start=0&length=1&size=1&lastModified=0").unwrap_err();
        assert!(error.contains("`name`"), "{error}");
    }
}
