//! A list of files in JSON, never larger in memory than what is allowed of it.

use std::fmt;

use hoist_protocol::{ErrorCode, NewFile};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{file, init::lacks};
use crate::ApiError;

/// Reads a list of at most `most` files.
pub(super) fn list(json: &[u8], most: usize) -> Result<Vec<NewFile>, ApiError> {
    let mut list = List {
        most,
        is_long: false,
        items: Vec::new(),
    };
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = (&mut list).deserialize(&mut reader);
    if list.is_long {
        return Err(ApiError::new(
            ErrorCode::TooMany,
            format!("One list may name at most {most} files"),
        ));
    }
    read.and_then(|()| reader.end()).map_err(|error| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            format!("The list of files is not JSON as it belongs here: {error}"),
        )
    })?;
    (0..)
        .zip(&list.items)
        .map(|(index, item)| {
            let field = |name| match name {
                "name" => item.name.0.as_deref(),
                "size" => item.size.0.as_deref(),
                _ => item.last_modified.0.as_deref(),
            };
            file::file(field).map_err(|missing| lacks(index, missing))
        })
        .collect()
}

/// One file; further fields are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Item {
    name: Text,
    size: Text,
    last_modified: Text,
}

/// A text or a whole number, as a form would have it. All else is as if it were not there.
#[derive(Debug, Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Text, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

/// Takes a list item by item, and stops at one too many.
struct List {
    most: usize,
    is_long: bool,
    items: Vec<Item>,
}

impl<'de> DeserializeSeed<'de> for &mut List {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut List {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            if self.items.len() == self.most {
                self.is_long = true;
                return Err(de::Error::custom("the list is too long"));
            }
            self.items.push(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        match list(json.as_bytes(), 2) {
            Ok(files) => format!("{} files", files.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_may_be_texts_and_nothing_else_is_one() {
        let one =
            |size: &str| format!(r#"[{{"name":"a","size":{size},"lastModified":-5,"x":[{{}}]}}]"#);
        let files = list(one(r#""7""#).as_bytes(), 2).unwrap();
        assert_eq!((files[0].size, files[0].last_modified), (Some(7), Some(-5)));
        assert_eq!(said(&one("7")), "1 files");
        for wrong in [
            "null",
            "7.5",
            "-7",
            "true",
            "[7]",
            r#"{"a":7}"#,
            r#""7 ""#,
            "1e30",
        ] {
            let said = said(&one(wrong));
            assert!(
                said.contains("File 0 of the list lacks `size`"),
                "{wrong}: {said}"
            );
        }
    }

    #[test]
    fn a_list_has_an_end() {
        let item = r#"{"name":"a","size":1,"lastModified":1}"#;
        assert_eq!(said("[]"), "0 files");
        assert_eq!(said(&format!("[{item},{item}]")), "2 files");
        let long = said(&format!("[{item},{item},{item}"));
        assert!(long.starts_with("too_many"), "{long}");
        for wrong in [
            "",
            "{}",
            "[",
            "[1]",
            r#"{"data":[]}"#,
            "[] []",
            &format!("[{item}"),
        ] {
            let said = said(wrong);
            assert!(said.starts_with("invalid_request"), "{wrong}: {said}");
        }
    }
}
