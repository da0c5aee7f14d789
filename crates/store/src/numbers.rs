//! Which name to try for a file: the wanted one, or that with the next free number.
//!
//! The next number is found by doubling and halving, so that the ten-thousandth `image.jpg` costs
//! little more than the second.

use hoist_protocol::UploadId;

use crate::{Owner, StoreError, disk::layout, store::Shared};

/// Names that are tried one after the other; from then on far apart, so that many that want one
/// name at once, or a folder full of files that we do not know, do not make it long.
const NEAR: u32 = 16;
/// Names that are tried in all before the upload has to wait.
const TRIES: u32 = 64;
/// Numbers right behind the last one that are looked up in one go.
const AHEAD: u32 = 8;

/// The names to try for one file.
#[derive(Debug)]
pub(crate) struct Numbers {
    owner: Owner,
    id: UploadId,
    wanted: String,
    last: u32,
    tries: u32,
}

impl Numbers {
    pub(crate) fn new(owner: &Owner, id: UploadId, wanted: String) -> Self {
        Self {
            owner: owner.clone(),
            id,
            wanted,
            last: 0,
            tries: 0,
        }
    }

    pub(crate) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Goes on with another wanted name.
    pub(crate) fn want(&mut self, wanted: String) {
        self.wanted = wanted;
        self.last = 0;
    }

    fn name(&self, n: u32) -> String {
        layout::numbered(&self.wanted, n)
    }

    /// The next name that the catalog believes to be free.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if too many have failed: it may go better later.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Result<String, StoreError> {
        self.tries += 1;
        if self.tries > TRIES {
            return Err(StoreError::Unavailable);
        }
        if self.last == 0 {
            self.last = 1;
            return Ok(self.name(1));
        }
        if let Some(far) = self.tries.checked_sub(NEAR) {
            // By the id: others that want this name go elsewhere.
            let random =
                u32::from_be_bytes(self.id.as_bytes().first_chunk().map_or([0; 4], |b| *b));
            self.last = self.last.saturating_add(random % (1 << far.min(20)));
        }
        self.last = self.free_after(shared, self.last).await?;
        Ok(self.name(self.last))
    }

    /// A free number above `last`: the next one, unless numbers between were freed.
    async fn free_after(&self, shared: &Shared, last: u32) -> Result<u32, StoreError> {
        let steps = (1..=AHEAD).chain((4..32).map(|power| 1 << power));
        let numbers: Vec<u32> = steps.map(|step| last.saturating_add(step)).collect();
        let taken = self.taken(shared, &numbers).await?;
        let Some(found) = taken.iter().position(|taken| !taken) else {
            return Err(StoreError::Unavailable);
        };
        let at = |index: usize| numbers.get(index).copied();
        let mut free = at(found).ok_or(StoreError::Unavailable)?;
        let mut taken = found.checked_sub(1).and_then(at).unwrap_or(last);
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            if self.taken(shared, &[middle]).await? == [true] {
                taken = middle;
            } else {
                free = middle;
            }
        }
        Ok(free)
    }

    async fn taken(&self, shared: &Shared, numbers: &[u32]) -> Result<Vec<bool>, StoreError> {
        let keys: Vec<String> = numbers
            .iter()
            .map(|n| layout::key(&self.name(*n)))
            .collect();
        let taken = shared
            .catalog
            .taken(self.owner.clone(), self.id, keys.clone())
            .await?;
        Ok(keys.iter().map(|key| taken.contains(key)).collect())
    }
}
