//! A start, a list and a create beside very many files.

use std::{path::Path, process::Command};

use hoist_protocol::{CreateAnswer, CreateRequest, CreateResponse, NewFile, Sender};

use super::{load::ask, rounds};
use crate::program::Program;

/// Adds rows to a catalog: a million by requests would take hours.
const FILL: &str = include_str!("fill.py");

/// Bytes and calls that a process has read with so far.
fn read_so_far(program: &Program) -> (u64, u64) {
    let io = std::fs::read_to_string(format!("/proc/{}/io", program.pid())).unwrap();
    let number = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    (number("rchar:"), number("syscr:"))
}

/// A data folder with so many finished and unfinished uploads.
fn filled(data: &Path, finished: u64, unfinished: u64) {
    let mut program = Program::start(data, &[]);
    program.signal("TERM");
    let (finished, unfinished) = (finished.to_string(), unfinished.to_string());
    let catalog = data.join("catalog.db");
    let filled = Command::new("python3")
        .args([
            "-c",
            FILL,
            catalog.to_str().unwrap(),
            &finished,
            &unfinished,
        ])
        .output()
        .unwrap();
    assert!(
        filled.status.success(),
        "{}",
        String::from_utf8_lossy(&filled.stderr)
    );
}

#[allow(
    clippy::disallowed_methods,
    reason = "the lab measures; make test asserts no times"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn a_start_reads_as_much_with_many_files_as_with_few() {
    for end in ["TERM", "KILL"] {
        println!("many: after {end}, {}", starts(end));
    }
}

/// What a page of the list reads. The first sweep reads beside it, so the least of many is the page's own.
fn reading_of_a_page(program: &Program) -> u64 {
    let of_one = |_| {
        let before = read_so_far(program).0;
        program.ask("GET", "/hoist/uploads?limit=50", "", b"");
        read_so_far(program).0 - before
    };
    (0..300).map(of_one).min().unwrap_or(u64::MAX)
}

/// What it took after the server before had ended in this way.
fn starts(end: &str) -> String {
    let mut said = String::new();
    let finished = rounds("HOIST_LAB_MANY", 20_000);
    let mut read = Vec::new();
    for many in [finished / 20, finished] {
        let data = tempfile::tempdir().unwrap();
        filled(data.path(), many, many / 100 + 100);
        // What the first start puts in order is not asked of the second.
        Program::start(data.path(), &[]).signal(end);
        let from = now();
        let program = Program::start(data.path(), &[]);
        let health = program.ask("GET", "/healthz", "", b"");
        let started = from.elapsed();
        assert_eq!(health.status, 200);
        let at_start = read_so_far(&program);
        let from = now();
        let page = program.ask("GET", "/hoist/uploads?limit=50", "", b"");
        let paged = from.elapsed();
        let counts = format!(r#""finished":{many},"finishedBytes":{}"#, many * 5);
        assert!(
            page.body.contains(&counts),
            "{}",
            &page.body[page.body.len() - 200..]
        );
        let listed = reading_of_a_page(&program);
        // A thousand new files, none of which is among them.
        let file = |n: u64| NewFile {
            name: format!("new-{n}"),
            size: Some(5),
            last_modified: Some(1),
            ..NewFile::default()
        };
        let sender = Sender::new("many").unwrap();
        let request = CreateRequest {
            sender,
            files: (0..1000).map(file).collect(),
        };
        let from = now();
        let created: CreateResponse = ask(&program.addr, "/hoist/uploads", &request).unwrap();
        let creating = from.elapsed();
        assert!(
            created
                .answers
                .iter()
                .all(|answer| matches!(answer, CreateAnswer::Needed(_)))
        );
        read.push((at_start, listed));
        if many == finished {
            said = format!(
                "with {many} finished files and {} unfinished a start reads {} bytes and takes {started:.0?}, \
                 a page of the list {paged:.1?}, a thousand creates {creating:.1?}",
                many / 100 + 100,
                at_start.0,
            );
        }
    }
    let [(few, few_listed), (many, many_listed)] = read[..] else {
        unreachable!()
    };
    assert!(
        many.0 < few.0 + (256 << 10) && many.1 < few.1 + 200,
        "{few:?} {many:?}"
    );
    assert!(
        many_listed < few_listed + (256 << 10),
        "{few_listed} {many_listed}"
    );
    said
}
