//! Figures, on a listener of their own.

use std::{collections::BTreeMap, io::Write as _, net::TcpStream};

use crate::program::{Program, read_answer};

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

    // Two files of 5 bytes; one is sent twice, of the other nothing comes.
    let body = r#"{"sender":"s","files":[{"name":"a","size":5,"lastModified":1},{"name":"b","size":5,"lastModified":1}]}"#;
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
    let after = figures(&addr);
    for (name, value) in [
        ("received_bytes_total", 10.0),
        ("acknowledged_bytes_total", 5.0),
        ("repeated_bytes_total", 5.0),
        ("packs_total", 2.0),
        ("evictions_total", 0.0),
        ("finished_files", 1.0),
        ("finished_bytes", 5.0),
        ("unfinished_uploads", 1.0),
        ("quota_bytes", f64::from(1 << 30)),
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
