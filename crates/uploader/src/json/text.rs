//! What JSON is made of: words, numbers, strings, brackets.

use std::borrow::Cow;

use super::Malformed;

/// Deepest nesting that is read.
const DEEPEST: u32 = 64;

/// Where in a text somebody reads.
pub(super) struct Reader<'de> {
    text: &'de [u8],
    at: usize,
    depth: u32,
}

impl<'de> Reader<'de> {
    pub(super) const fn new(text: &'de [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// The next byte that is no space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    pub(super) fn take(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    pub(super) fn word(&mut self, word: &'static [u8]) -> Result<(), Malformed> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Malformed> {
        self.take(bracket)?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Malformed);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, bracket: u8) -> Result<(), Malformed> {
        self.take(bracket)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Whether another entry follows; takes the comma before it.
    pub(super) fn has_next(&mut self, bracket: u8, is_first: &mut bool) -> Result<bool, Malformed> {
        if self.peek() == Some(bracket) {
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            self.take(b',')?;
            // No comma at the end.
            if self.peek() == Some(bracket) {
                return Err(Malformed);
            }
        }
        Ok(true)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        if self.peek() == Some(b't') {
            self.word(b"true").map(|()| true)
        } else {
            self.word(b"false").map(|()| false)
        }
    }

    /// The characters of a number.
    pub(super) fn number(&mut self) -> Result<&'de str, Malformed> {
        self.peek();
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        std::str::from_utf8(text).map_err(|_| Malformed)
    }

    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Malformed> {
        self.take(b'"')?;
        let mut owned: Option<Vec<u8>> = None;
        let mut start = self.at;
        loop {
            let byte = *self.text.get(self.at).ok_or(Malformed)?;
            match byte {
                b'"' | b'\\' => {
                    let run = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    if byte == b'"' && owned.is_none() {
                        return std::str::from_utf8(run)
                            .map(Cow::Borrowed)
                            .map_err(|_| Malformed);
                    }
                    let text = owned.get_or_insert_default();
                    text.extend_from_slice(run);
                    if byte == b'"' {
                        let text = owned.unwrap_or_default();
                        return String::from_utf8(text)
                            .map(Cow::Owned)
                            .map_err(|_| Malformed);
                    }
                    let character = self.escape()?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    start = self.at;
                }
                0..0x20 => return Err(Malformed),
                _ => self.at += 1,
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = *self.text.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                // A character beyond 16 bits comes as a pair.
                let code = if (0xd800..0xdc00).contains(&first) {
                    if self.text.get(self.at..self.at + 2) != Some(b"\\u") {
                        return Err(Malformed);
                    }
                    self.at += 2;
                    let second = self.hex()?.checked_sub(0xdc00).ok_or(Malformed)?;
                    if second >= 0x400 {
                        return Err(Malformed);
                    }
                    0x10000 + (first - 0xd800) * 0x400 + second
                } else {
                    first
                };
                char::from_u32(code).ok_or(Malformed)?
            }
            _ => return Err(Malformed),
        })
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Malformed)?;
        self.at += 4;
        digits.iter().try_fold(0, |sum, &digit| {
            let digit = char::from(digit).to_digit(16).ok_or(Malformed)?;
            Ok(sum * 16 + digit)
        })
    }

    /// Passes over a value that nobody asked for.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek().ok_or(Malformed)? {
            b'"' => self.string().map(drop),
            b't' | b'f' => self.bool().map(drop),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b'[' => {
                let mut is_first = true;
                self.open(b'[')?;
                while self.has_next(b']', &mut is_first)? {
                    self.skip()?;
                }
                self.close(b']')
            }
            b'{' => {
                let mut is_first = true;
                self.open(b'{')?;
                while self.has_next(b'}', &mut is_first)? {
                    self.string()?;
                    self.take(b':')?;
                    self.skip()?;
                }
                self.close(b'}')
            }
            _ => Err(Malformed),
        }
    }
}
