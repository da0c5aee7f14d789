//! How files are cut, and what of them has arrived.

use std::collections::BTreeSet;

use hoist_protocol::{
    ByteRange, ChunkLayout, ChunkSet, MIN_CHUNK_SIZE, chunk_checksum, merge_checksums,
};

/// A size, a chunk size, and changes of a set; beside it a plain set of numbers.
pub(crate) fn chunks(data: &[u8]) {
    let Some((head, rest)) = data.split_at_checked(16) else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
    layout(number(0), number(8));
    let size = number(0) % (40 * MIN_CHUNK_SIZE) + 1;
    let layout = ChunkLayout::new(size, MIN_CHUNK_SIZE).unwrap();
    let (mut set, mut model) = (ChunkSet::new(), BTreeSet::new());
    for change in rest.chunks_exact(2) {
        let index = u32::from(change[1]) % layout.count();
        if change[0] & 1 == 0 {
            assert_eq!(set.insert(index), model.insert(index));
        } else {
            assert_eq!(set.remove(index), model.remove(&index));
        }
    }
    assert_eq!(set.len() as usize, model.len());
    assert!((0..layout.count()).all(|index| set.contains(index) == model.contains(&index)));
    let missing = (0..layout.count()).find(|index| !model.contains(index));
    assert_eq!(set.first_missing(0, layout.count()), missing);
    let bytes: u64 = model
        .iter()
        .map(|index| layout.range(*index).unwrap().len())
        .sum();
    assert_eq!(set.bytes(layout), bytes);
    let ranges = set.byte_ranges(layout);
    assert!(
        ranges.is_sorted_by(|one, next| one.end < next.start),
        "merged and in order"
    );
    assert_eq!(ranges.iter().map(|range| range.len()).sum::<u64>(), bytes);
    assert_eq!(ChunkSet::from_byte_ranges(layout, &ranges).len(), set.len());
    // Any ranges at all give whole chunks only.
    let any = rest.chunks_exact(4).map(|four| {
        let at = |n: usize| u64::from(u16::from_le_bytes([four[n], four[n + 1]])) * 64;
        ByteRange::new(at(0).min(at(2)), at(0).max(at(2)))
    });
    let any: Vec<_> = any.collect();
    let whole = ChunkSet::from_byte_ranges(layout, &any);
    assert!(whole.ranges().all(|(_, end)| end <= layout.count()));
    merged(rest);
}

/// A layout that is accepted covers its file, without holes.
fn layout(size: u64, chunk_size: u64) {
    let Ok(layout) = ChunkLayout::new(size, chunk_size) else {
        return;
    };
    let last = layout.count().checked_sub(1);
    assert_eq!(last.is_none(), size == 0);
    assert_eq!(layout.range(layout.count()), None);
    if let Some(last) = last {
        assert_eq!(layout.range(0).unwrap().start, 0);
        assert_eq!(layout.range(last).unwrap().end, size);
        for at in [0, size / 3, size - 1] {
            let index = layout.index_at(at).unwrap();
            let range = layout.range(index).unwrap();
            assert!(range.start <= at && at < range.end);
        }
    }
}

/// The checksums of the chunks merge to the hash of the whole.
fn merged(data: &[u8]) {
    let all = data.repeat(usize::try_from(3 * MIN_CHUNK_SIZE).unwrap() / data.len().max(1) + 1);
    let layout = ChunkLayout::new(all.len() as u64, MIN_CHUNK_SIZE).unwrap();
    let checksums = (0..layout.count()).map(|index| {
        let range = layout.range(index).unwrap();
        let at = |n: u64| usize::try_from(n).unwrap();
        chunk_checksum(layout, index, &all[at(range.start)..at(range.end)]).unwrap()
    });
    let merged = merge_checksums(layout, checksums).unwrap();
    assert_eq!(merged.as_bytes(), blake3::hash(&all).as_bytes());
}
