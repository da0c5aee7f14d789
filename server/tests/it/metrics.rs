//! Figures, on a listener of their own.

use std::{collections::BTreeMap, io::Write as _, net::TcpStream};

use crate::program::{Program, read_answer, until};

fn ask(addr: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let answer = read_answer(stream);
    (answer.status, answer.body)
}

fn figures(addr: &str) -> BTreeMap<String, f64> {
    let (status, text) = ask(addr, "/metrics");
    assert_eq!(status, 200, "{text}");
    // Every figure has its help and its kind before it.
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    let values = text.lines().filter(|line| !line.starts_with('#'));
    let values: BTreeMap<_, _> = values
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect();
    assert_eq!(names.len(), values.len(), "{text}");
    values
}

#[test]
fn figures_are_counted_and_told_only_on_their_own_listener() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--metrics", "127.0.0.1:0", "--quota", "1GiB"];
    let program = Program::start(data.path(), &flags);
    let (_, rest) = program.line.split_once("metrics=http://").unwrap();
    let addr = rest.split('/').next().unwrap().to_owned();
    assert_eq!(program.ask("GET", "/metrics", "", b"").status, 404);
    assert_eq!(ask(&addr, "/hoist/uploads").0, 404);
    let before = figures(&addr);
    for name in [
        "received_bytes_total",
        "packs_total",
        "finished_files",
        "unfinished_uploads",
    ] {
        assert_eq!(before[&format!("hoist_{name}")], 0.0, "{name}");
    }

    // A file of 5 bytes, which is sent twice, and one of two chunks.
    let body = r#"{"sender":"s","files":[{"name":"a","size":5,"lastModified":1},{"name":"b","size":1048576,"lastModified":1,"chunkSize":524288}]}"#;
    let answer = program.ask("POST", "/hoist/uploads", "", body.as_bytes());
    let (_, rest) = answer.body.split_once(r#""id":""#).unwrap();
    let manifest = format!(
        r#"{{"sender":"s","attempt":0,"chunks":[{{"upload":"{}","index":0,"length":5}}]}}"#,
        &rest[..32]
    );
    let mut pack = u32::try_from(manifest.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    pack.extend(manifest.as_bytes());
    pack.extend(b"hello");
    for _ in 0..2 {
        assert_eq!(program.ask("POST", "/hoist/packs", "", &pack).status, 200);
    }
    // A part of a chunk comes, and then all of it from a newer attempt, which takes its place.
    let (_, rest) = rest.split_once(r#""id":""#).unwrap();
    let newer = |attempt: u32| {
        let manifest = format!(
            r#"{{"sender":"s","attempt":{attempt},"chunks":[{{"upload":"{}","index":1,"length":524288}}]}}"#,
            &rest[..32]
        );
        let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
        [&length, manifest.as_bytes(), &[7; 524_288]].concat()
    };
    let held = newer(0);
    let mut stream = program.connect();
    write!(
        stream,
        "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        program.addr,
        held.len()
    )
    .unwrap();
    stream.write_all(&held[..held.len() - 2]).unwrap();
    until("some of it has come", || {
        figures(&addr)["hoist_received_bytes_total"] >= 10.0 + 524_286.0
    });
    let sent = program.ask("POST", "/hoist/packs", "", &newer(1));
    assert!(sent.body.contains("acknowledged"), "{sent:?}");
    stream.write_all(&held[held.len() - 2..]).unwrap();
    assert_eq!(read_answer(stream).status, 200);
    let third = r#"{"sender":"s","files":[{"name":"c","size":100,"lastModified":1}]}"#;
    program.ask("POST", "/hoist/uploads", "", third.as_bytes());
    let after = figures(&addr);
    for (name, value) in [
        ("acknowledged_bytes_total", 524_293.0),
        ("repeated_bytes_total", 5.0),
        ("packs_total", 4.0),
        ("evictions_total", 1.0),
        ("finished_files", 1.0),
        ("finished_bytes", 5.0),
        ("unfinished_uploads", 2.0),
        ("quota_bytes", f64::from(1 << 30)),
        // Without what is stored, and what is announced.
        (
            "quota_left_bytes",
            f64::from((1 << 30) - 5 - 1_048_576 - 100),
        ),
    ] {
        assert_eq!(after[&format!("hoist_{name}")], value, "{name}");
    }
    // The chunk, and the name of the file.
    assert!(
        after["hoist_syncs_total"] >= 2.0 && after["hoist_sync_seconds_total"] > 0.0,
        "{after:?}"
    );
    assert!(after["hoist_free_bytes"] > 0.0);
}

#[test]
fn where_visitors_are_told_apart_no_quota_is_everybodys() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let flags = [
        "--metrics",
        "0.0.0.0:0",
        "--quota",
        "1GiB",
        "--visitors",
        "cookie",
    ];
    let program = Program::start_logged(&data.path().join("data"), &flags, &log);
    let (_, rest) = program.line.split_once("metrics=http://0.0.0.0:").unwrap();
    let addr = format!("127.0.0.1:{}", rest.split('/').next().unwrap());
    assert!(!figures(&addr).contains_key("hoist_quota_left_bytes"));
    // Nobody signs in there, and whoever opened it to others is told so.
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(
        said.contains("WARN") && said.contains("figures are told to everybody"),
        "{said}"
    );
}
