//! Names of uploads and of those who send them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid id")
    }
}

impl std::error::Error for InvalidId {}

/// The server's name of one upload: 128 random bits, written as 32 lower-case hexadecimal digits.
///
/// It is unguessable on purpose: a visitor without a cookie reaches what they created by its id
/// alone. This crate never makes ids; whoever does brings the randomness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId([u8; 16]);

impl UploadId {
    /// Takes 16 random bytes as an id.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex(&self.0, &mut [0; 64]))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({self})")
    }
}

impl FromStr for UploadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 16];
        parse_hex(text, &mut bytes).ok_or(InvalidId)?;
        Ok(Self(bytes))
    }
}

impl Serialize for UploadId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex(&self.0, &mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for UploadId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Fills `bytes` from exactly twice as many lower-case hexadecimal digits.
///
/// Upper case is refused: an id has one spelling, so that it can be compared as text.
pub(crate) fn parse_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != bytes.len() * 2 {
        return None;
    }
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(())
}

/// Writes up to 32 bytes as hexadecimal digits, all at once: a manifest has a thousand checksums, and
/// formatting each byte took most of its time.
pub(crate) fn hex<'a>(bytes: &[u8], text: &'a mut [u8; 64]) -> &'a str {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    let digits = text.get(..bytes.len() * 2).unwrap_or_default();
    // Only digits: it cannot fail.
    str::from_utf8(digits).unwrap_or_default()
}

/// The random name of one page's (or program's) sending: 1 to 64 of `A–Z a–z 0–9 _ -`.
///
/// Two pages that send the same file have two senders; a page that sends again after a broken
/// connection keeps its sender and raises `attempt`. See leases in `PROTOCOL.md`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender(String);

impl Sender {
    /// Checks and takes a name.
    ///
    /// # Errors
    ///
    /// [`InvalidId`] if it is empty, longer than 64 bytes, or has another character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidId> {
        let name = name.into();
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
            Ok(Self(name))
        } else {
            Err(InvalidId)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Sender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = UploadId::from_bytes(*b"\x00\x01\x7f\x80\xff56789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            id.to_string().to_uppercase().parse::<UploadId>(),
            Err(InvalidId)
        );
        for wrong in [
            "",
            "00",
            "../../../../../../../../../../x",
            &"0".repeat(31),
            &"g".repeat(32),
            &"é".repeat(16),
        ] {
            assert_eq!(wrong.parse::<UploadId>(), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn a_sender_is_short_and_plain() {
        assert!(Sender::new("Az09_-").is_ok());
        for wrong in [String::new(), "a b".into(), "ä".into(), "a".repeat(65)] {
            assert_eq!(Sender::new(wrong), Err(InvalidId));
        }
    }
}
