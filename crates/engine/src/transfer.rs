//! The state of one upload while bytes are needed: which chunks are where.

use hoist_protocol::{ByteRange, Checksum, ChecksumRun, ChunkLayout, ChunkSet, Receipt};

use crate::{RequestId, compare::Compare, sorted::Sorted};

/// What is being done with one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its bytes are read and hashed.
    Reading(Purpose),
    /// Hashed, and waiting for a pack.
    Ready(Checksum),
    /// In a pack that has no answer yet.
    Flying(RequestId),
}

/// Why a chunk is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be sent.
    Send,
    /// To be compared with the checksum of the acknowledged chunk.
    Compare,
    /// To be merged into the hash of the whole file.
    Whole,
}

/// What has to happen before another byte of this file may travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Need {
    #[default]
    Nothing,
    /// To know whether the file can still be read; asked already.
    Probe,
    /// To know what the server has.
    Status,
}

/// What a file can go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Read this chunk.
    Read(u32, Purpose),
    /// Ask for the next checksums to compare.
    Checksums,
    /// Ask for the status.
    Status,
    /// Nothing, until something else happened.
    Nothing,
}

/// Somebody else finished the file while this page sent it: the whole is compared.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) receipt: Receipt,
    next: u32,
    sums: Vec<Option<Checksum>>,
    left: u32,
}

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) layout: ChunkLayout,
    /// Acknowledged, by the server's word.
    acked: ChunkSet,
    acked_bytes: u64,
    /// Acknowledged, but not seen to be equal to what this page has.
    unverified: ChunkSet,
    /// Acknowledged since the last status went out: its answer may not know them yet.
    fresh: ChunkSet,
    /// Handed to the network at least once and not acknowledged.
    handed: ChunkSet,
    handed_bytes: u64,
    work: Sorted<u32, Work>,
    /// All chunks below are acknowledged or in work.
    next: u32,
    /// What the network says it took of the packs under way.
    pub(crate) sent: u64,
    /// Packs under way that carry chunks of this file.
    pub(crate) running: u32,
    pub(crate) need: Need,
    /// Whether a status is on its way.
    pub(crate) is_asked: bool,
    pub(crate) compare: Compare,
    whole: Option<Box<Whole>>,
    /// The last status said that all is there and nothing is published.
    pub(crate) is_told_unfinished: bool,
    /// How often the last chunk was sent again to make the server finish.
    pub(crate) nudges: u32,
    /// Damaged or conflicting chunks without a good one in between.
    pub(crate) mismatches: u32,
    /// Refusals of a proxy, of a pack of one chunk.
    pub(crate) refusals: u32,
    /// Chunks that could not be read although the file could.
    pub(crate) read_failures: u32,
    /// Packs without an answer since the last acknowledged chunk.
    pub(crate) strikes: u32,
    /// Most chunks of a pack that carries this file; falls with each failure.
    pub(crate) pack_limit: u32,
}

impl Transfer {
    pub(crate) fn new(layout: ChunkLayout, received: &[ByteRange]) -> Self {
        let mut transfer = Self {
            layout,
            acked: ChunkSet::new(),
            acked_bytes: 0,
            unverified: ChunkSet::new(),
            fresh: ChunkSet::new(),
            handed: ChunkSet::new(),
            handed_bytes: 0,
            work: Sorted::default(),
            next: 0,
            sent: 0,
            running: 0,
            need: Need::Nothing,
            is_asked: false,
            compare: Compare::default(),
            whole: None,
            is_told_unfinished: false,
            nudges: 0,
            mismatches: 0,
            refusals: 0,
            read_failures: 0,
            strikes: 0,
            pack_limit: u32::MAX,
        };
        transfer.learn(received);
        transfer
    }

    pub(crate) const fn acked_bytes(&self) -> u64 {
        self.acked_bytes
    }

    pub(crate) const fn handed_bytes(&self) -> u64 {
        self.handed_bytes
    }

    pub(crate) fn len(&self, index: u32) -> u64 {
        self.layout.range(index).map_or(0, ByteRange::len)
    }

    pub(crate) const fn has_all(&self) -> bool {
        self.acked.len() >= self.layout.count()
    }

    pub(crate) const fn is_verified(&self) -> bool {
        self.unverified.is_empty()
    }

    pub(crate) fn work(&self, index: u32) -> Option<Work> {
        self.work.get(index).copied()
    }

    /// Whether nothing of the file was ever sent: it can travel whole.
    pub(crate) fn is_untouched(&self) -> bool {
        self.acked.is_empty() && self.handed.is_empty()
    }

    /// Whether each chunk is hashed and waits for a pack.
    pub(crate) fn is_all_ready(&self) -> bool {
        let is_ready = |(_, work): &(u32, &Work)| matches!(work, Work::Ready(_));
        u32::try_from(self.work.iter().filter(is_ready).count()) == Ok(self.layout.count())
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    /// Whether bytes are compared rather than sent, for the word on the row.
    pub(crate) const fn is_checking(&self) -> bool {
        self.whole.is_some() || (!self.unverified.is_empty() && self.compare.passed == 0)
    }

    /// Chunks that can go on, in the order: compare, then send. `is_to_check`: the next checksums
    /// are to be asked for already.
    pub(crate) fn pick(&self, is_to_check: bool) -> Pick {
        if self.need != Need::Nothing || self.is_asked {
            return Pick::Nothing;
        }
        if let Some(whole) = &self.whole {
            return if whole.next < self.layout.count() {
                Pick::Read(whole.next, Purpose::Whole)
            } else {
                Pick::Nothing
            };
        }
        let waiting = |&(index, _): &(u32, &Checksum)| !self.work.contains(index);
        if let Some((index, _)) = self.compare.expected.iter().find(waiting) {
            return Pick::Read(index, Purpose::Compare);
        }
        let is_asked = is_to_check || self.compare.is_asked;
        if !self.is_verified() && self.compare.expected.is_empty() && !is_asked {
            return Pick::Checksums;
        }
        // Not one new byte before one old chunk is seen to be equal.
        if !self.is_verified() && self.compare.passed == 0 {
            return Pick::Nothing;
        }
        match self.missing_from(self.next) {
            // The last chunk completes the file on the server, so it waits until all others are
            // seen to be equal: a mismatch must publish nothing.
            Some(index)
                if !self.is_verified() && self.missing_from(index.saturating_add(1)).is_none() =>
            {
                Pick::Nothing
            }
            Some(index) => Pick::Read(index, Purpose::Send),
            None if self.has_all()
                && self.is_verified()
                && self.running == 0
                && !self.has_work() =>
            {
                if self.is_told_unfinished {
                    // There is no call to complete: the last chunk, sent again, does it.
                    Pick::Read(self.layout.count().saturating_sub(1), Purpose::Send)
                } else {
                    Pick::Status
                }
            }
            None => Pick::Nothing,
        }
    }

    fn missing_from(&self, from: u32) -> Option<u32> {
        let mut at = self.acked.first_missing(from, self.layout.count())?;
        while self.work.contains(at) {
            at = self
                .acked
                .first_missing(at.saturating_add(1), self.layout.count())?;
        }
        Some(at)
    }

    /// Begins to read a chunk.
    pub(crate) fn read(&mut self, index: u32, purpose: Purpose) {
        self.work.insert(index, Work::Reading(purpose));
        match purpose {
            Purpose::Send => {
                if self.has_all() {
                    self.nudges = self.nudges.saturating_add(1);
                    self.is_told_unfinished = false;
                } else {
                    self.next = index;
                }
            }
            Purpose::Compare => {}
            Purpose::Whole => {
                if let Some(whole) = &mut self.whole {
                    whole.next = index.saturating_add(1);
                }
            }
        }
    }

    /// A chunk was hashed in order to be sent.
    pub(crate) fn ready(&mut self, index: u32, checksum: Checksum) {
        self.work.insert(index, Work::Ready(checksum));
    }

    /// A chunk is handed to the network.
    pub(crate) fn hand(&mut self, index: u32, request: RequestId) {
        self.work.insert(index, Work::Flying(request));
        if !self.acked.contains(index) && self.handed.insert(index) {
            self.handed_bytes = self.handed_bytes.saturating_add(self.len(index));
        }
    }

    /// Ends the work on a chunk, whatever it was. If it is still missing it can be picked again.
    pub(crate) fn end_work(&mut self, index: u32) -> Option<Work> {
        let work = self.work.remove(index)?;
        if !self.acked.contains(index) {
            self.next = self.next.min(index);
        }
        Some(work)
    }

    /// Ends all work but that of chunks in packs; says what was ended.
    pub(crate) fn drop_work(&mut self) -> Vec<(u32, Work)> {
        let dropped: Vec<u32> = self
            .work
            .iter()
            .filter(|(_, work)| !matches!(work, Work::Flying(_)))
            .map(|(index, _)| index)
            .collect();
        if let (Some(whole), Some(&first)) = (&mut self.whole, dropped.first()) {
            whole.next = whole.next.min(first);
        }
        dropped
            .into_iter()
            .filter_map(|index| Some((index, self.end_work(index)?)))
            .collect()
    }

    /// The server acknowledged a chunk that this page sent. `true` if that is news.
    pub(crate) fn acknowledge(&mut self, index: u32) -> bool {
        if index >= self.layout.count() {
            return false;
        }
        self.unverified.remove(index);
        self.compare.expected.remove(index);
        self.fresh.insert(index);
        self.is_told_unfinished = false;
        if !self.acked.insert(index) {
            return false;
        }
        self.acked_bytes = self.acked_bytes.saturating_add(self.len(index));
        if self.handed.remove(index) {
            self.handed_bytes = self.handed_bytes.saturating_sub(self.len(index));
        }
        true
    }

    /// A status goes out: what is acknowledged from now on is news to its answer.
    pub(crate) fn ask(&mut self) {
        self.fresh = ChunkSet::new();
    }

    /// Takes over what the server says it has.
    ///
    /// What it has and this page did not know of is not proven to be equal. What it does not have
    /// any more is sent again.
    pub(crate) fn learn(&mut self, received: &[ByteRange]) {
        let count = self.layout.count();
        let mut truth = ChunkSet::from_byte_ranges(self.layout, &in_order(received));
        for index in self.fresh.ranges().flat_map(|(start, end)| start..end) {
            truth.insert(index);
        }
        for (start, end) in truth.ranges() {
            let mut from = start;
            while let Some(index) = self.acked.first_missing(from, end) {
                from = index.saturating_add(1);
                self.acked.insert(index);
                self.unverified.insert(index);
                self.acked_bytes = self.acked_bytes.saturating_add(self.len(index));
                if self.handed.remove(index) {
                    self.handed_bytes = self.handed_bytes.saturating_sub(self.len(index));
                }
            }
        }
        if self.acked.len() == truth.len() {
            return;
        }
        let mut lost = Vec::new();
        for (start, end) in self.acked.ranges() {
            let mut from = start;
            while let Some(index) = truth.first_missing(from, end.min(count)) {
                from = index.saturating_add(1);
                lost.push(index);
            }
        }
        for index in lost {
            self.acked.remove(index);
            self.unverified.remove(index);
            self.compare.expected.remove(index);
            self.acked_bytes = self.acked_bytes.saturating_sub(self.len(index));
            // It was sent once, by whomever: it counts as on its way again, so that what is shown
            // need not fall.
            if self.handed.insert(index) {
                self.handed_bytes = self.handed_bytes.saturating_add(self.len(index));
            }
            self.next = self.next.min(index);
        }
    }

    /// Chunks that are hashed or read although the server has them by now.
    pub(crate) fn superfluous(&self) -> Vec<u32> {
        self.work
            .iter()
            .filter(|(index, work)| match work {
                Work::Reading(Purpose::Send) | Work::Ready(_) => {
                    self.acked.contains(*index) && !self.has_all()
                }
                Work::Reading(Purpose::Compare) => !self.compare.expected.contains(*index),
                Work::Reading(Purpose::Whole) | Work::Flying(_) => false,
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// The first chunk that is acknowledged and not yet seen to be equal.
    pub(crate) fn first_unverified(&self) -> Option<u32> {
        self.unverified.ranges().next().map(|(start, _)| start)
    }

    pub(crate) fn is_unverified(&self, index: u32) -> bool {
        self.unverified.contains(index)
    }

    /// An acknowledged chunk was seen to be equal.
    pub(crate) fn verify(&mut self, index: u32) {
        self.unverified.remove(index);
        self.compare.passed = self.compare.passed.saturating_add(1);
    }

    /// Begins to compare the whole file with what somebody finished.
    pub(crate) fn begin_whole(&mut self, receipt: Receipt) {
        if self.whole.is_none() {
            let count = self.layout.count();
            self.whole = Some(Box::new(Whole {
                receipt,
                next: 0,
                sums: vec![None; usize::try_from(count).unwrap_or(0)],
                left: count,
            }));
        }
    }

    pub(crate) const fn is_comparing_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Takes one checksum of the whole; the receipt and all checksums when it was the last.
    pub(crate) fn whole_chunk(
        &mut self,
        index: u32,
        checksum: Checksum,
    ) -> Option<(Receipt, Vec<Checksum>)> {
        let whole = self.whole.as_mut()?;
        let slot = whole.sums.get_mut(usize::try_from(index).ok()?)?;
        if slot.replace(checksum).is_none() {
            whole.left = whole.left.saturating_sub(1);
        }
        (whole.left == 0).then(|| {
            (
                whole.receipt.clone(),
                whole.sums.iter().flatten().copied().collect(),
            )
        })
    }
}

impl Transfer {
    /// Takes the server's checksums of what it has, as far as they are not compared yet.
    pub(crate) fn compare_with(&mut self, runs: Vec<ChecksumRun>) {
        let before = self.compare.expected.len();
        for run in runs {
            for (index, checksum) in (run.from..self.layout.count()).zip(run.values) {
                if self.compare.expected.len() >= crate::compare::MOST_EXPECTED {
                    break;
                }
                if self.is_unverified(index) {
                    self.compare.expected.insert(index, checksum);
                }
            }
        }
        if self.is_verified() || self.compare.expected.len() > before {
            self.compare.empty_pages = 0;
        } else {
            self.compare.empty_pages = self.compare.empty_pages.saturating_add(1);
        }
    }

    /// Whether the server has chunks and no checksums of them.
    pub(crate) const fn is_unprovable(&self) -> bool {
        self.compare.empty_pages >= 3 && !self.is_verified()
    }
}

/// The ranges that are in order and apart. A server that sends others could make a page count
/// the same million chunks ten thousand times.
fn in_order(ranges: &[ByteRange]) -> Vec<ByteRange> {
    let mut end = 0;
    ranges
        .iter()
        .copied()
        .filter(|range| {
            let is_next = range.start >= end && !range.is_empty();
            if is_next {
                end = range.end;
            }
            is_next
        })
        .collect()
}
