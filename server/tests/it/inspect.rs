//! `hoist verify` and `hoist sweep`, beside a server and without one.

use std::{fs, path::Path};

use crate::program::{Program, command};

/// What it says, line by line, and its exit code.
fn ask(data: &Path, words: &[&str]) -> (Vec<String>, i32) {
    let output = command(words).arg("--data").arg(data).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = said.lines().map(ToOwned::to_owned).collect();
    lines.sort();
    (lines, output.status.code().unwrap())
}

fn send(program: &Program, name: &str, content: &str) {
    let headers = "Content-Type: multipart/form-data; boundary=B\r\n";
    let body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--B--\r\n"
    );
    let answer = program.ask("POST", "/hoist/form", headers, body.as_bytes());
    assert!(answer.status < 400, "{answer:?}");
}

#[test]
fn verify_finds_files_that_have_changed_or_gone_and_those_that_nobody_sent() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &[]);
    for (name, content) in [
        ("a.txt", "aaaa"),
        ("b.txt", "bbbb"),
        ("c.txt", "cccc"),
        ("ü.txt", "d"),
    ] {
        send(&program, name, content);
    }
    let (said, code) = ask(data.path(), &["verify"]);
    assert_eq!(
        (said[0].as_str(), code),
        ("4 files, 13 bytes read: 0 damaged, 0 that nobody knows", 0)
    );

    // The same length and other bytes, as a disk that forgets would have it.
    let files = data.path().join("files");
    fs::write(files.join("a.txt"), "aaab").unwrap();
    fs::remove_file(files.join("b.txt")).unwrap();
    fs::create_dir(files.join("by hand")).unwrap();
    fs::write(files.join("by hand/e.txt"), "e").unwrap();
    let expected = [
        "4 files, 13 bytes read: 2 damaged, 1 that nobody knows",
        "changed  files/a.txt",
        "missing  files/b.txt",
        "unknown  files/by hand/e.txt",
    ];
    assert_eq!(
        ask(data.path(), &["verify"]),
        (expected.map(Into::into).to_vec(), 1),
        "beside a server"
    );
    assert!(program.signal("TERM").success());
    assert_eq!(
        ask(data.path(), &["verify"]),
        (expected.map(Into::into).to_vec(), 1),
        "without one"
    );
    assert!(files.join("by hand/e.txt").exists(), "it only looks");
}

#[test]
fn sweep_says_what_would_go_and_removes_it_only_if_it_is_told_to() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--keep-unfinished", "1ms", "--delete-grace", "1h"];
    let mut program = Program::start(data.path(), &flags);
    let body = r#"{"sender":"s","files":[{"name":"old","size":100,"lastModified":1}]}"#;
    let answer = program.ask("POST", "/hoist/uploads", "", body.as_bytes());
    let (_, rest) = answer.body.split_once(r#""id":""#).unwrap();
    let id = rest[..32].to_owned();
    // Not by its own sweeper, which has just been.
    program.signal("KILL");
    let orphan = "00112233445566778899aabbccddeeff";
    let folder = data.path().join("incoming/00");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(orphan), "bytes").unwrap();

    let expected = [
        "2 would go".to_owned(),
        format!("expired  {id} old"),
        format!("orphan   {orphan}"),
    ];
    for _ in 0..2 {
        assert_eq!(
            ask(data.path(), &["sweep", "--dry-run"]),
            (expected.to_vec(), 0)
        );
    }
    let (said, code) = ask(data.path(), &["sweep"]);
    assert_eq!(
        (said, code),
        (vec!["1 expired and 0 deleted are gone".to_owned()], 0)
    );
    assert!(!folder.join(orphan).exists());
    assert_eq!(
        ask(data.path(), &["sweep", "--dry-run"]),
        (vec!["0 would go".to_owned()], 0)
    );
    // A folder with a server is that server's.
    let _program = Program::start(data.path(), &[]);
    assert_eq!(ask(data.path(), &["sweep"]).1, 1);
}
