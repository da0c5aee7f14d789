//! How much memory many uploads take.

use std::{fs, io::Write as _, net::TcpStream, path::Path};

use crate::program::{Program, until};

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

/// A pack on its way: all but the last byte was sent, and nothing more comes.
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

#[test]
fn ten_thousand_open_uploads_and_a_thousand_in_work_have_a_bound_in_memory() {
    let open = 10_000;
    let active = usize::try_from(super::rounds("HOIST_LAB_ACTIVE", 1000)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let flags = ["--body-idle", "1h", "--durability", "process"];
    let program = Program::start(data.path(), &flags);
    let idle = program.resident();
    let ids = create(&program, open);
    assert_eq!(ids.len(), open);
    let bytes = vec![7; (1 << 20) - 1];
    let streams: Vec<_> = ids[..active]
        .iter()
        .map(|id| begin(&program, id, &bytes))
        .collect();
    let sent = (active * bytes.len()) as u64;
    until("all of it was read", || program.received_bytes() >= sent);
    let busy = program.resident();
    drop(streams);
    println!(
        "memory: {open} open and {active} active uploads take {busy} bytes, of which {idle} are there without any"
    );
    // Each holds a buffer of its connection and a piece of its chunk; what a debug build has beside
    // that is not for anybody to use.
    let most = if std::env::var_os("LAB_PROGRAM").is_some() {
        100
    } else {
        140
    };
    assert!(busy < most << 20, "{busy} bytes");
}
