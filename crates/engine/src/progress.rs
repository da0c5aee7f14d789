//! Sums that are kept and never summed again: each change of a row goes through one place.

use crate::{
    FileKey, Snapshot, Totals,
    file::{File, Stage},
};

/// What one row adds to the sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    totals: Totals,
    /// Bytes still to come.
    left: u64,
    /// Uploads that wait for bytes.
    active: u32,
}

impl File {
    pub(crate) fn tally(&self) -> Tally {
        let one = u32::from;
        let mine = |is: bool| one(self.is_from_this_visit && is);
        let mut tally = Tally {
            totals: Totals {
                unsettled: mine(self.is_unsettled()),
                not_taken: one(self.is_not_taken && matches!(self.stage, Stage::Failed(_))),
                cancelling: mine(self.is_cancelling()),
                cancelled: mine(matches!(self.stage, Stage::Cancelled)),
                deleting: mine(matches!(self.stage, Stage::Deleting(_))),
                deleted: mine(matches!(self.stage, Stage::Deleted)),
                restorable: mine(self.is_restorable()),
                needs_file: one(matches!(self.stage, Stage::NeedsFile)),
                listed_finished: one(!self.is_from_this_visit && self.is_stored()),
                ..Totals::default()
            },
            left: 0,
            active: one(self.is_active()),
        };
        if self.is_counted() {
            let is_present = matches!(self.stage, Stage::Present(_));
            let totals = &mut tally.totals;
            totals.files = 1;
            totals.bytes = self.size;
            totals.acknowledged = self.acknowledged();
            totals.in_flight = self.in_flight();
            totals.shown = self.shown;
            totals.present = one(is_present);
            totals.finished = one(is_present || matches!(self.stage, Stage::Done(_)));
            totals.failed = one(matches!(self.stage, Stage::Failed(_) | Stage::FileChanged));
            totals.conflicts = one(matches!(self.stage, Stage::Conflict));
            if self.is_unsettled() {
                tally.left = self.size.saturating_sub(totals.acknowledged);
            }
        }
        tally
    }
}

impl Totals {
    /// Field by field, so that a new field cannot be forgotten.
    fn each(self, other: Self, n: fn(u32, u32) -> u32, b: fn(u64, u64) -> u64) -> Self {
        Self {
            files: n(self.files, other.files),
            bytes: b(self.bytes, other.bytes),
            acknowledged: b(self.acknowledged, other.acknowledged),
            in_flight: b(self.in_flight, other.in_flight),
            shown: b(self.shown, other.shown),
            finished: n(self.finished, other.finished),
            present: n(self.present, other.present),
            failed: n(self.failed, other.failed),
            conflicts: n(self.conflicts, other.conflicts),
            not_taken: n(self.not_taken, other.not_taken),
            cancelling: n(self.cancelling, other.cancelling),
            cancelled: n(self.cancelled, other.cancelled),
            deleting: n(self.deleting, other.deleting),
            deleted: n(self.deleted, other.deleted),
            restorable: n(self.restorable, other.restorable),
            unsettled: n(self.unsettled, other.unsettled),
            needs_file: n(self.needs_file, other.needs_file),
            listed_finished: n(self.listed_finished, other.listed_finished),
        }
    }
}

impl Snapshot {
    fn count(&mut self, before: Tally, after: Tally) {
        // Wrapping, so that taking out is always the exact opposite of putting in: a hostile sum
        // of sizes beyond 2^64 must not leave a remainder behind.
        self.totals = self
            .totals
            .each(before.totals, u32::wrapping_sub, u64::wrapping_sub)
            .each(after.totals, u32::wrapping_add, u64::wrapping_add);
        self.left = self.left.wrapping_sub(before.left).wrapping_add(after.left);
        self.active = self
            .active
            .wrapping_sub(before.active)
            .wrapping_add(after.active);
    }

    /// Changes one file; rows, sums and revisions follow.
    pub(crate) fn update<R>(
        &mut self,
        key: FileKey,
        change: impl FnOnce(&mut File) -> R,
    ) -> Option<R> {
        let file = self.files.get_mut(usize::try_from(key.0).ok()?)?;
        let before = file.tally();
        let was_visible = file.is_visible();
        let result = change(file);
        file.raise_shown();
        self.revision = self.revision.saturating_add(1);
        file.revision = self.revision;
        let after = file.tally();
        let is_visible = file.is_visible();
        self.count(before, after);
        if was_visible != is_visible {
            self.order_revision = self.order_revision.saturating_add(1);
            match self.visible.binary_search(&key) {
                Ok(at) if was_visible => {
                    self.visible.remove(at);
                }
                Err(at) if is_visible => self.visible.insert(at, key),
                _ => {}
            }
        }
        Some(result)
    }

    /// Puts a file into the next place. `true` if its key is the next one; others are ignored.
    pub(crate) fn push(&mut self, key: FileKey, mut file: File) -> bool {
        if usize::try_from(key.0) != Ok(self.files.len()) {
            return false;
        }
        file.raise_shown();
        self.revision = self.revision.saturating_add(1);
        file.revision = self.revision;
        self.count(Tally::default(), file.tally());
        if file.is_visible() {
            self.order_revision = self.order_revision.saturating_add(1);
            self.visible.push(key);
        }
        self.files.push(file);
        true
    }

    /// Something changed that concerns all rows.
    pub(crate) const fn touch_all(&mut self) {
        self.revision = self.revision.saturating_add(1);
        self.common_revision = self.revision;
    }
}

#[cfg(test)]
pub(crate) fn summed_again(snapshot: &Snapshot) -> Totals {
    snapshot
        .files
        .iter()
        .map(File::tally)
        .fold(Totals::default(), |sum, tally| {
            sum.each(tally.totals, u32::wrapping_add, u64::wrapping_add)
        })
}
