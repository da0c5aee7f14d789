//! The bytes of a zip archive around those of its files (PKWARE's APPNOTE 6.3.10).
//!
//! Files are stored as they are. Their checksum is known only after they were read, so it follows
//! them in a descriptor. Whatever does not fit into 32 bits is said once more in 64 (zip64), and only
//! then, because old readers know no zip64. Names are UTF-8.

use hoist_protocol::UploadId;

/// A file or a folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: UploadId,
    /// With slashes; that of a folder ends in one.
    pub(super) name: String,
    pub(super) size: u64,
    /// When it was modified, in seconds since 1970, UTC.
    pub(super) seconds: i64,
    pub(super) is_folder: bool,
}

/// Says "look into the zip64 field".
const IN_64: u32 = u32::MAX;
/// The checksum and sizes follow the file.
const FOLLOWS: u16 = 1 << 3;
/// The name is UTF-8.
const UTF8: u16 = 1 << 11;

impl Entry {
    const fn flags(&self) -> u16 {
        if self.is_folder { UTF8 } else { UTF8 | FOLLOWS }
    }

    const fn is_large(&self) -> bool {
        self.size >= IN_64 as u64
    }

    /// The version of the format that a reader must know.
    const fn version(&self) -> u16 {
        if self.is_large() { 45 } else { 20 }
    }

    /// The name's length; paths are limited far below.
    fn name_length(&self) -> u16 {
        u16::try_from(self.name.len()).unwrap_or(u16::MAX)
    }

    /// The moment in UTC, beside the one in DOS's words, which has no zone.
    fn moment(&self) -> Vec<u8> {
        let Ok(seconds) = i32::try_from(self.seconds) else {
            return Vec::new();
        };
        [&[0x55, 0x54, 5, 0, 1][..], &seconds.to_le_bytes()].concat()
    }
}

/// Little-endian numbers, one after the other.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn two(mut self, number: u16) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn four(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn eight(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A number in 32 bits, or the sign that it is elsewhere.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(IN_64)
}

/// The length of an extra field; they are a few dozen bytes.
fn length(extra: &[u8]) -> u16 {
    u16::try_from(extra.len()).unwrap_or(u16::MAX)
}

/// What stands before a file.
pub(super) fn local_header(entry: &Entry) -> Vec<u8> {
    let mut extra = entry.moment();
    let size = if entry.is_large() {
        // Tells that the descriptor has 64 bits for each size.
        let sizes = Record::default().two(1).two(16).eight(0).eight(0);
        extra.extend_from_slice(&sizes.0);
        IN_64
    } else {
        0
    };
    let (time, date) = dos_time(entry.seconds);
    Record::default()
        .four(0x0403_4b50)
        .two(entry.version())
        .two(entry.flags())
        .two(0) // stored
        .two(time)
        .two(date)
        .four(0)
        .four(size)
        .four(size)
        .two(entry.name_length())
        .two(length(&extra))
        .bytes(entry.name.as_bytes())
        .bytes(&extra)
        .0
}

/// What follows a file.
pub(super) fn descriptor(crc: u32, size: u64) -> Vec<u8> {
    let record = Record::default().four(0x0807_4b50).four(crc);
    if size >= u64::from(IN_64) {
        record.eight(size).eight(size).0
    } else {
        record.four(short(size)).four(short(size)).0
    }
}

/// What stands in the directory at the end.
pub(super) fn central_header(entry: &Entry, crc: u32, offset: u64) -> Vec<u8> {
    let mut long = Record::default();
    if entry.is_large() {
        long = long.eight(entry.size).eight(entry.size);
    }
    let is_far = offset >= u64::from(IN_64);
    if is_far {
        long = long.eight(offset);
    }
    let mut extra = entry.moment();
    if !long.0.is_empty() {
        let field = Record::default().two(1).two(length(&long.0)).bytes(&long.0);
        extra.extend_from_slice(&field.0);
    }
    let (time, date) = dos_time(entry.seconds);
    // What `ls -l` shows, in the upper half; DOS's sign for a folder in the lower one.
    let mode: u32 = if entry.is_folder {
        0o040_755 << 16 | 0x10
    } else {
        0o100_644 << 16
    };
    let version = if is_far { 45 } else { entry.version() };
    Record::default()
        .four(0x0201_4b50)
        .two(3 << 8 | 45) // made on Unix
        .two(version)
        .two(entry.flags())
        .two(0)
        .two(time)
        .two(date)
        .four(crc)
        .four(short(entry.size))
        .four(short(entry.size))
        .two(entry.name_length())
        .two(length(&extra))
        .two(0)
        .two(0)
        .two(0)
        .four(mode)
        .four(short(offset))
        .bytes(entry.name.as_bytes())
        .bytes(&extra)
        .0
}

/// The end of the directory, and of the archive.
pub(super) fn end(count: u64, begin: u64, size: u64) -> Vec<u8> {
    let few = u16::try_from(count).ok().filter(|&count| count < u16::MAX);
    let is_large = few.is_none() || begin.max(size) >= u64::from(IN_64);
    let mut record = Record::default();
    if is_large {
        record = record
            .four(0x0606_4b50)
            .eight(44)
            .two(3 << 8 | 45)
            .two(45)
            .four(0)
            .four(0)
            .eight(count)
            .eight(count)
            .eight(size)
            .eight(begin)
            .four(0x0706_4b50)
            .four(0)
            .eight(begin + size)
            .four(1);
    }
    let few = few.unwrap_or(u16::MAX);
    record
        .four(0x0605_4b50)
        .two(0)
        .two(0)
        .two(few)
        .two(few)
        .four(short(size))
        .four(short(begin))
        .two(0)
        .0
}

/// How many bytes the archive has.
pub(super) fn whole_length(entries: &[Entry]) -> u64 {
    let (mut files, mut directory) = (0, 0);
    for entry in entries {
        directory += central_header(entry, 0, files).len() as u64;
        files += local_header(entry).len() as u64;
        if !entry.is_folder {
            files += entry.size + descriptor(0, entry.size).len() as u64;
        }
    }
    files + directory + end(entries.len() as u64, files, directory).len() as u64
}

/// Time and date as DOS has them: from 1980 to 2107, in steps of two seconds.
fn dos_time(seconds: i64) -> (u16, u16) {
    const FIRST: i64 = 315_532_800; // 1980-01-01
    const LAST: i64 = 4_354_819_198; // 2107-12-31 23:59:58
    let seconds = seconds.clamp(FIRST, LAST);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days: years begin in March, so that leap days are at the end.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let date = (year - 1980) << 9 | month << 5 | day;
    let time = ((rest / 3600) << 11) | ((rest / 60 % 60) << 5) | (rest % 60 / 2);
    let narrow = |number| u16::try_from(number).unwrap_or_default();
    (narrow(time), narrow(date))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Seek as _, SeekFrom, Write as _},
        process::Command,
    };

    use super::*;

    fn entry(name: &str, size: u64) -> Entry {
        Entry {
            id: UploadId::from_bytes([0; 16]),
            name: name.to_owned(),
            size,
            seconds: 0,
            is_folder: false,
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let parts = |(time, date): (u16, u16)| {
            let day = (1980 + (date >> 9), date >> 5 & 15, date & 31);
            (day, (time >> 11, time >> 5 & 63, (time & 31) * 2))
        };
        for (seconds, day, time) in [
            (i64::MIN, (1980, 1, 1), (0, 0, 0)),
            (951_827_696, (2000, 2, 29), (12, 34, 56)),
            (1_709_251_199, (2024, 2, 29), (23, 59, 58)),
            (1_709_251_200, (2024, 3, 1), (0, 0, 0)),
            (1_798_761_599, (2026, 12, 31), (23, 59, 58)),
            (i64::MAX, (2107, 12, 31), (23, 59, 58)),
        ] {
            assert_eq!(parts(dos_time(seconds)), (day, time), "{seconds}");
        }
    }

    #[test]
    fn what_does_not_fit_into_32_bits_is_said_in_64_and_only_that() {
        let (small, large) = (entry("a", 0xffff_fffe), entry("a", 0xffff_ffff));
        assert_eq!(local_header(&small).len() + 20, local_header(&large).len());
        assert_eq!(
            descriptor(0, small.size).len() + 8,
            descriptor(0, large.size).len()
        );
        let near = central_header(&small, 0, 0xffff_fffe);
        for (central, more) in [
            (central_header(&small, 0, 0xffff_ffff), 12),
            (central_header(&large, 0, 0), 20),
            (central_header(&large, 0, 1 << 40), 28),
        ] {
            assert_eq!(near.len() + more, central.len());
        }
        let plain = end(65_534, 1000, 1000).len();
        for end in [end(65_535, 1000, 1000), end(1, 1 << 32, 1000)] {
            assert_eq!(end.len(), plain + 56 + 20);
        }
    }
    /// The checksum of so many zeros, without going through them one by one.
    fn checksum_of_zeros(mut count: u64) -> crc32fast::Hasher {
        let mut all = crc32fast::Hasher::new();
        let mut power = crc32fast::Hasher::new();
        power.update(&[0]);
        while count > 0 {
            if count & 1 == 1 {
                all.combine(&power);
            }
            power.combine(&power.clone());
            count >>= 1;
        }
        all
    }

    // In a sparse file, so that nothing but the reader touches four gibibytes.
    #[test]
    fn another_reader_finds_all_in_an_archive_of_more_than_4_gib() {
        let entries = [
            entry("small", 3),
            entry("large", (4 << 30) + 5),
            entry("far", 2),
        ];
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut central = Vec::new();
        for entry in &entries {
            let offset = file.stream_position().unwrap();
            let crc = checksum_of_zeros(entry.size).finalize();
            file.write_all(&local_header(entry)).unwrap();
            file.seek(SeekFrom::Current(entry.size.cast_signed()))
                .unwrap();
            file.write_all(&descriptor(crc, entry.size)).unwrap();
            central.extend_from_slice(&central_header(entry, crc, offset));
        }
        let begin = file.stream_position().unwrap();
        file.write_all(&central).unwrap();
        file.write_all(&end(entries.len() as u64, begin, central.len() as u64))
            .unwrap();
        assert_eq!(
            file.stream_position().unwrap(),
            whole_length(&entries),
            "the length that is said beforehand"
        );

        let reader = "import sys, zipfile\n\
            archive = zipfile.ZipFile(sys.argv[1])\n\
            assert archive.testzip() is None\n\
            print([(info.filename, info.file_size) for info in archive.infolist()])";
        let output = Command::new("python3")
            .args(["-c", reader])
            .arg(file.path())
            .output()
            .unwrap();
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{failed}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "[('small', 3), ('large', 4294967301), ('far', 2)]"
        );
    }
}
