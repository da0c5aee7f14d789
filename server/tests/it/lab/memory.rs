//! How much memory many uploads take.

use std::{fs, io::Write as _, net::TcpStream, path::Path};

use crate::program::{Program, until};

/// What each upload sends in its turn.
const PART: usize = 16 << 10;

/// Creates so many uploads of 1 MiB, a thousand with a call.
fn create(program: &Program, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for call in 0..count.div_ceil(1000) {
        let file = |n: usize| format!(r#"{{"name":"{call}-{n}","size":1048576,"lastModified":1}}"#);
        let files: Vec<_> = (0..1000).map(file).collect();
        let body = format!(r#"{{"sender":"s","files":[{}]}}"#, files.join(","));
        let answer = program.ask("POST", "/hoist/uploads", "", body.as_bytes());
        let found = answer.body.split(r#""id":""#).skip(1);
        ids.extend(found.map(|rest| rest[..32].to_owned()));
    }
    ids
}

/// A pack of 1 MiB on its way: these bytes were sent, and not all.
fn begin(program: &Program, id: &str, bytes: &[u8]) -> TcpStream {
    let manifest = format!(
        r#"{{"sender":"{id}","attempt":0,"chunks":[{{"upload":"{id}","index":0,"length":1048576}}]}}"#
    );
    let mut stream = program.connect();
    let head = format!(
        "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        program.addr,
        4 + manifest.len() + 1_048_576
    );
    stream.write_all(head.as_bytes()).unwrap();
    let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
    stream.write_all(&length).unwrap();
    stream.write_all(manifest.as_bytes()).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// How many bytes with this value lie in the files below a folder.
fn count(folder: &Path, value: u8) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => count(&entry.path(), value),
            _ => {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                bytes.into_iter().filter(|&byte| byte == value).count()
            }
        })
        .sum()
}

/// Less than a piece, and nothing after it: it does not wait in memory for the rest.
#[test]
fn what_came_before_a_pause_is_on_the_disk_and_not_in_memory() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--body-idle", "1h"]);
    let ids = create(&program, 1);
    let some = vec![0xA7; 300 << 10];
    let before = count(data.path(), 0xA7);
    let stream = begin(&program, &ids[0], &some);
    until("it is written", || {
        count(data.path(), 0xA7) >= before + some.len()
    });
    drop(stream);
}

/// All write in turn, again and again: none is at rest, and each has come somewhere else.
#[test]
fn ten_thousand_open_uploads_and_a_thousand_at_work_have_a_bound_in_memory_and_hold_no_threads() {
    let open = 10_000;
    let active = usize::try_from(super::rounds("HOIST_LAB_ACTIVE", 1000)).unwrap();
    let turns = usize::try_from(super::rounds("HOIST_LAB_TURNS", 6)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let flags = ["--body-idle", "1h", "--durability", "process"];
    let program = Program::start(data.path(), &flags);
    let (idle, few) = (program.resident(), program.status("Threads:"));
    let ids = create(&program, open);
    assert_eq!(ids.len(), open);
    let (created, bytes) = (program.most_resident(), vec![7; PART]);
    let mut streams: Vec<_> = ids[..active]
        .iter()
        .map(|id| begin(&program, id, &[]))
        .collect();
    // Without waiting for the server: it is to have something of each at any time.
    for _ in 0..turns {
        for stream in &mut streams {
            stream.write_all(&bytes).unwrap();
        }
    }
    let (sent, mut threads) = ((turns * active * PART) as u64, 0);
    until("all of it was read", || {
        threads = threads.max(program.status("Threads:"));
        program.received_bytes() >= sent
    });
    let most = program.most_resident();
    // None of them has ended, and they hold nothing that works.
    until("they hold no thread", || {
        program.status("Threads:") <= few + active / 100
    });
    drop(streams);
    println!(
        "memory: {open} open uploads, and {active} that write {PART} bytes in turn, {turns} times, take at most {most} \
         bytes and {threads} threads, of which {idle} and {few} are there without any, and {created} bytes when all \
         are open"
    );
    // What a debug build has beside the buffers is not for anybody to use.
    let bound = if std::env::var_os("LAB_PROGRAM").is_some() {
        100
    } else {
        140
    };
    assert!(most < bound << 20, "{most} bytes");
}
