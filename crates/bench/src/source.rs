//! The bytes that are sent: the same for everybody, so that what is stored can be compared with them.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// So many files of one size, one behind the other in memory.
#[derive(Debug)]
pub struct Source {
    bytes: Vec<u8>,
    size: usize,
}

impl Source {
    /// Reads so many files of one size from a folder that `bench/lib/source.mjs` has made.
    ///
    /// # Errors
    ///
    /// If one cannot be read or has another size.
    pub fn read(folder: &Path, files: usize, size: usize) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(files * size);
        for number in 0..files {
            let (inner, name) = Self::name(number);
            let path = folder.join(inner).join(name);
            File::open(&path)?.read_to_end(&mut bytes)?;
            if bytes.len() != (number + 1) * size {
                let told = format!("{} has not {size} bytes", path.display());
                return Err(io::Error::other(told));
            }
        }
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
