//! The bytes that are sent: the same for everybody, so that what is stored can be compared with them.

use std::{fs, io, path::Path};

/// So many files of one size, one behind the other in memory.
#[derive(Debug)]
pub struct Source {
    bytes: Vec<u8>,
    size: usize,
}

impl Source {
    /// Reads the first `files` × `size` bytes of a file, which must have them.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is too short.
    pub fn read(path: &Path, files: usize, size: usize) -> io::Result<Self> {
        let mut bytes = fs::read(path)?;
        if bytes.len() < files * size {
            return Err(io::Error::other(format!(
                "{} has fewer than {files} × {size} bytes",
                path.display()
            )));
        }
        bytes.truncate(files * size);
        Ok(Self { bytes, size })
    }

    /// How many files there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len().checked_div(self.size).unwrap_or(0)
    }

    /// How many bytes each has.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The bytes of one.
    #[must_use]
    pub fn file(&self, number: usize) -> &[u8] {
        &self.bytes[number * self.size..][..self.size]
    }

    /// How one is called: `folder/name`. Folders have a thousand at most.
    #[must_use]
    pub fn name(number: usize) -> (String, String) {
        (format!("{:03}", number / 1000), format!("{number:06}.bin"))
    }
}
