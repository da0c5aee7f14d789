//! Bytes of JSON in memory, and the room they take among all that are.

use crate::{ApiError, router::Core, transfers::Transfer};

/// Bytes that still come. Room is taken as they do and not as they are announced, so that many who send
/// slowly do not shut out others; and who has much of it gives way.
#[derive(Debug)]
pub(crate) struct Coming {
    /// Also has the bytes.
    room: Transfer,
    length: usize,
    has: usize,
}

impl Coming {
    pub(crate) const fn new(room: Transfer) -> Self {
        Self {
            room,
            length: 0,
            has: 0,
        }
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length as u64
    }

    pub(crate) fn push(&mut self, core: &Core, bytes: &[u8]) -> Result<(), ApiError> {
        let needs = self.length + bytes.len();
        if needs > self.has {
            // As a vector grows: by doubling.
            let more = needs.max(self.has.saturating_mul(2)).max(1 << 10) - self.has;
            self.room.grow(core.now(), more)?;
            self.has += more;
        }
        self.length = needs;
        self.room.hold(bytes, self.has)
    }

    /// All has come.
    pub(crate) fn whole(self) -> Result<Held, ApiError> {
        Ok(Held {
            bytes: self.room.whole()?,
            _room: self.room,
        })
    }
}

/// Bytes that have come, and their room as long as they are in memory.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    _room: Transfer,
}
