//! Thousands of clients that are slow on purpose, and one that is not.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use hoist_protocol::{
    ChunkResult, CreateAnswer, CreateRequest, CreateResponse, NewFile, PackChunk, PackManifest,
    PackResponse, Sender, UploadId,
};

use super::{
    load::{ask, post},
    rounds,
};
use crate::program::{Program, until};

const MIB: u64 = 1 << 20;
/// Chunks of one pack.
const PACK: u32 = 8;

/// The ways of being slow: what is said at once, and what then comes byte by byte, if anything.
fn kinds(addr: &str, id: UploadId) -> Vec<(String, &'static str)> {
    let head = |path: &str, length: u64| {
        format!("POST /hoist{path} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {length}\r\n\r\n")
    };
    let manifest = format!(
        r#"{{"sender":"slow","attempt":0,"chunks":[{{"upload":"{id}","index":0,"length":1048576}}]}}"#
    );
    let length = u32::try_from(manifest.len()).unwrap();
    // The prefix is not text, but for these lengths it is.
    assert!(length < 128);
    let prefix = format!("\0\0\0{}", char::from(u8::try_from(length).unwrap()));
    vec![
        (
            "GET /hoist/limits HTTP/1.1\r\nHost: x\r\nX-Slow: ".into(),
            "a",
        ),
        ("POST /hoist/packs HTTP/1.1\r\nHo".into(), ""),
        (head("/packs", MIB), ""),
        (head("/packs", 300_000) + "\0\x03\0\0{\"sender\":\"", "a"),
        (
            head("/packs", 4 + u64::from(length) + MIB) + &prefix + &manifest + "x",
            "x",
        ),
        (head("/uploads", 1 << 20) + "{\"sender\":\"", "a"),
        (String::new(), ""),
    ]
}

/// All of them, connected.
fn connect(addr: &str, id: UploadId, count: usize) -> Vec<(TcpStream, &'static str)> {
    let kinds = kinds(addr, id);
    let one = |n: usize| {
        let (first, more) = &kinds[n % kinds.len()];
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        (stream, *more)
    };
    (0..count).map(one).collect()
}

/// The client that is not slow: sends one file of so many MiB; how many packs were refused.
fn upload(addr: &str, name: &str, mib: u32, seed: u8) -> u32 {
    let all: Vec<u8> = (0..u64::from(mib) * MIB)
        .map(|n| u8::try_from((n >> 16) % 251).unwrap() ^ seed)
        .collect();
    let file = NewFile {
        name: name.to_owned(),
        size: Some(all.len() as u64),
        chunk_size: Some(MIB),
        ..NewFile::default()
    };
    let sender = Sender::new("healthy").unwrap();
    let request = CreateRequest {
        sender: sender.clone(),
        files: vec![file],
    };
    let created: CreateResponse = ask(addr, "/hoist/uploads", &request).expect("it answers");
    let CreateAnswer::Needed(needed) = &created.answers[0] else {
        panic!("it is new")
    };
    let (mut refused, mut receipt) = (0, None);
    for first in (0..mib).step_by(PACK as usize) {
        let indices = first..mib.min(first + PACK);
        let chunks = indices.clone().map(|index| PackChunk {
            upload: needed.id,
            index,
            length: MIB,
            checksum: None,
            last: false,
        });
        let manifest = PackManifest {
            sender: sender.clone(),
            attempt: 0,
            chunks: chunks.collect(),
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
        let bytes = &all[indices.start as usize * (1 << 20)..indices.end as usize * (1 << 20)];
        let body = [&length, manifest.as_slice(), bytes].concat();
        let sent: Option<PackResponse> = post(addr, "/hoist/packs", &body);
        let Some(sent) = sent else {
            refused += 1;
            continue;
        };
        assert!(
            sent.results
                .iter()
                .all(|result| *result == ChunkResult::Acknowledged),
            "{sent:?}"
        );
        receipt = receipt.or(sent.receipts.into_iter().next());
    }
    if refused == 0 {
        let hash = receipt.expect("it is whole").hash.unwrap().to_string();
        assert_eq!(hash, blake3::hash(&all).to_hex().as_str());
    }
    refused
}

fn begun(addr: &str) -> UploadId {
    let file = NewFile {
        name: "slow".into(),
        size: Some(MIB),
        ..NewFile::default()
    };
    let request = CreateRequest {
        sender: Sender::new("slow").unwrap(),
        files: vec![file],
    };
    let created: CreateResponse = ask(addr, "/hoist/uploads", &request).expect("it answers");
    match &created.answers[0] {
        CreateAnswer::Needed(needed) => needed.id,
        other => panic!("{other:?}"),
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    #[allow(
        clippy::disallowed_methods,
        reason = "the lab measures; make test asserts no times"
    )]
    let from = std::time::Instant::now();
    work();
    from.elapsed().as_secs_f64()
}

#[test]
fn beside_thousands_who_are_known_to_be_slow_a_healthy_client_is_not_refused_once() {
    let count = usize::try_from(rounds("HOIST_LAB_SLOW", 700)).unwrap();
    let mib = u32::try_from(rounds("HOIST_LAB_SLOW_MIB", 16)).unwrap();
    let repeats = rounds("HOIST_LAB_SLOW_REPEATS", 1);
    let (beside, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Nobody is let go for being slow alone.
    let flags = [
        "--header-timeout",
        "1h",
        "--body-idle",
        "1h",
        "--durability",
        "process",
    ];
    let program = Program::start(beside.path(), &flags);
    let quiet = Program::start(alone.path(), &flags);
    let id = begun(&program.addr);
    // Both have done it once, and have the memory that it takes.
    assert_eq!(
        upload(&program.addr, "first", mib, 1) + upload(&quiet.addr, "first", mib, 1),
        0
    );
    let open = || {
        std::fs::read_dir(format!("/proc/{}/fd", program.pid()))
            .unwrap()
            .count()
    };
    let (idle, before) = (program.resident(), open());
    let mut slow = connect(&program.addr, id, count);
    // Those beyond the places there are were refused, and may be gone.
    let least = before + count * 4 / 7 + (count * 3 / 7).min(1000);
    until("they are connected", || {
        open() >= least.min(before + count * 9 / 10)
    });
    let busy = program.resident();
    let (mut times, mut early) = ((Vec::new(), Vec::new()), 0);
    std::thread::scope(|scope| {
        // Dropped at the end of this, also by a panic.
        let (_end, ended) = channel::<()>();
        let slow = &mut slow;
        scope.spawn(move || {
            // A byte a second of each that says something.
            while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                for (stream, more) in slow.iter_mut() {
                    let _ = stream.write(more.as_bytes());
                }
            }
        });
        if count > 1000 {
            // The house is full: who comes waits until those who hardly move are known.
            until("there is room", || {
                let refused = upload(&program.addr, "room", PACK, 9);
                early += refused;
                refused == 0
            });
        }
        for n in 0..repeats {
            let seed = u8::try_from(n).unwrap();
            times.0.push(seconds(|| {
                assert_eq!(upload(&program.addr, &format!("{n}"), mib, seed), 0);
            }));
            times.1.push(seconds(|| {
                assert_eq!(upload(&quiet.addr, &format!("{n}"), mib, seed), 0);
            }));
        }
    });
    let still = open() - before;
    let each = busy.saturating_sub(idle) / count;
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let ratio = median(&mut times.1) / median(&mut times.0);
    println!(
        "slow: {count} connections that are slow on purpose take {each} bytes each, {still} of them are open at the end; \
         beside them a healthy client of the same address is refused {early} times before they are known to be slow, \
         0 times after that, and has {ratio:.2} of its speed"
    );
    assert!(still >= count / 2, "{still}");
    assert!(each < 48 << 10, "{each}");
    if repeats > 1 {
        assert!(ratio > 0.9, "{ratio}");
    }
}

#[test]
fn who_is_slow_is_let_go_when_the_time_is_over() {
    let data = tempfile::tempdir().unwrap();
    let flags = [
        "--header-timeout",
        "1s",
        "--body-idle",
        "1s",
        "--durability",
        "process",
    ];
    let program = Program::start(data.path(), &flags);
    let id = begun(&program.addr);
    // Sockets only: the catalog opens files when it wants.
    let open = || {
        let all = std::fs::read_dir(format!("/proc/{}/fd", program.pid())).unwrap();
        let links = all.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        links
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count()
    };
    let silent = open();
    let slow = connect(&program.addr, id, 70);
    until("they are connected", || open() >= 70);
    // They say nothing more, and are not waited for.
    until("they are gone", || open() <= silent);
    drop(slow);
}
