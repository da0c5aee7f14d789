//! Starting, stopping and dying.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use clap::Parser as _;
use hoist_server::Config;

use crate::program::{LONG, Program, command, read_answer, until};

/// Creates a file of two chunks of 64 KiB and gives its id.
fn create(program: &Program) -> String {
    let body =
        r#"{"sender":"s","files":[{"name":"a","size":131072,"lastModified":1,"chunkSize":65536}]}"#;
    let answer = program.ask("POST", "/hoist/uploads", "", body.as_bytes());
    let (_, rest) = answer.body.split_once(r#""id":""#).unwrap();
    rest[..32].to_owned()
}

/// A pack with both chunks.
fn pack(id: &str) -> Vec<u8> {
    let chunk = |index| format!(r#"{{"upload":"{id}","index":{index},"length":65536}}"#);
    let manifest = format!(
        r#"{{"sender":"s","attempt":0,"chunks":[{},{}]}}"#,
        chunk(0),
        chunk(1)
    );
    let length = u32::try_from(manifest.len()).unwrap();
    let mut body = length.to_be_bytes().to_vec();
    body.extend_from_slice(manifest.as_bytes());
    body.extend_from_slice(&[7; 65536]);
    body.extend_from_slice(&[8; 65536]);
    body
}

fn status(program: &Program, id: &str) -> String {
    let body = format!(r#"{{"ids":["{id}"]}}"#);
    program
        .ask("POST", "/hoist/uploads/status", "", body.as_bytes())
        .body
}

/// Begins a pack and holds it back in the middle of its second chunk.
fn begin(program: &Program, body: &[u8]) -> std::net::TcpStream {
    let mut stream = program.connect();
    let head = format!(
        "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        program.addr,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..body.len() - 10]).unwrap();
    until("the server has read what was sent", || {
        program.received_bytes() >= 131_062
    });
    stream
}

#[test]
fn beyond_loopback_it_starts_only_if_it_is_told_to() {
    let data = tempfile::tempdir().unwrap();
    let output = command(&["--addr", "0.0.0.0:0", "--data"])
        .arg(data.path().join("data"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("--open"), "{said}");
    assert!(!data.path().join("data").exists(), "nothing was made");
}

#[test]
fn a_folder_has_one_server() {
    let data = tempfile::tempdir().unwrap();
    let _first = Program::start(data.path(), &[]);
    let output = command(&["--addr", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("in use by another server"), "{said}");
}

#[test]
fn the_page_has_its_script_wherever_the_program_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("hoist");
    // A copy that is still open for writing in a child of another test could not be run.
    if std::fs::hard_link(Program::path(), &copy).is_err() {
        std::fs::copy(Program::path(), &copy).unwrap();
    }
    let pkg = folder.path().join("site/pkg");
    std::fs::create_dir_all(&pkg).unwrap();
    std::fs::write(pkg.join("hoist.js"), "beside").unwrap();
    let other = folder.path().join("other");
    std::fs::create_dir_all(other.join("pkg")).unwrap();
    std::fs::write(other.join("pkg/hoist.js"), "by flag").unwrap();
    let data = folder.path().join("data");
    let script = |flags: &[&str]| {
        let program = Program::start_program(&copy, &data, flags, &[]);
        program.ask("GET", "/pkg/hoist.js", "", b"").body
    };
    assert_eq!(script(&[]), "beside");
    assert_eq!(script(&["--site", other.to_str().unwrap()]), "by flag");
}

#[test]
fn a_page_without_its_script_is_said_when_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let site = folder.path().join("none");
    let site = site.to_str().unwrap();
    let mut program = Program::start_logged(folder.path(), &["--site", site], &log);
    assert!(program.signal("TERM").success());
    let said = std::fs::read_to_string(log).unwrap();
    let missing = format!("{site}/pkg/hoist.js is not there");
    assert!(said.contains(&missing) && said.contains("--site"), "{said}");
}

/// Which signal a child of the test below sends to itself.
const SIGNAL: &str = "SIGNAL_TO_ONESELF";

#[test]
fn a_signal_before_the_server_waits_for_it_stops_it() {
    // Whoever has once listened to a signal never dies of it again: so it is a process of its own.
    let Ok(name) = std::env::var(SIGNAL) else {
        for name in ["INT", "TERM"] {
            let itself = std::env::current_exe().unwrap();
            let test = "process::a_signal_before_the_server_waits_for_it_stops_it";
            let mut child = Command::new(itself);
            let output = child.args(["--exact", test]).env(SIGNAL, name).output();
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{name}: {}, {said}", output.status);
            assert!(said.contains("1 passed"), "{said}");
        }
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let stop = hoist_server::shutdown::signal();
    let pid = std::process::id().to_string();
    let sent = Command::new("kill").args(["-s", &name, &pid]).status();
    assert!(sent.unwrap().success());
    runtime.block_on(async { tokio::time::timeout(LONG, stop).await.unwrap() });
}

#[test]
fn who_is_stopped_before_the_data_is_opened_opens_nothing() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let path = folder.to_str().unwrap();
    let config = Config::try_parse_from(["hoist", "--addr", "127.0.0.1:0", "--data", path]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let plan = config.unwrap().check().unwrap();
        let listener = plan.bind().unwrap();
        hoist_server::run(listener, plan, async {}).await.unwrap();
    });
    assert!(!folder.exists());
}

#[test]
fn a_wrong_value_is_named_by_what_it_came_from() {
    for (flags, variables, name) in [
        (
            &[][..],
            &[("HOIST_MAX_FILE_SIZE", "x")][..],
            "'HOIST_MAX_FILE_SIZE'",
        ),
        (&["--max-file-size=x"], &[], "'--max-file-size "),
        (
            &["--max-file-size", "x"],
            &[("HOIST_MAX_FILE_SIZE", "1")],
            "'--max-file-size ",
        ),
        (
            &["--min-file-size", "1"],
            &[("LEPTOS_SITE_ADDR", "x")],
            "'LEPTOS_SITE_ADDR'",
        ),
    ] {
        let output = command(flags)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("for {name}")), "{name}: {said}");
    }
}

#[test]
fn it_says_where_it_answers_and_how_it_is_set() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--pack-size", "1MiB", "--body-idle", "90s"]);
    let folder = format!("data={}", data.path().display());
    for part in [
        &folder,
        "chunk-size=512KiB",
        "pack-size=1MiB",
        "visitors=shared",
        "keep-unfinished=7d",
        "delete-grace=30s",
        "body-idle=90s",
        "max-unfinished=",
        "max-connections=",
    ] {
        assert!(program.line.contains(part), "{part}: {}", program.line);
    }
}

#[test]
fn on_a_signal_it_keeps_whole_chunks_answers_and_ends() {
    for signal in ["TERM", "INT"] {
        let data = tempfile::tempdir().unwrap();
        let mut program = Program::start(data.path(), &[]);
        let id = create(&program);
        let body = pack(&id);
        let mut stream = begin(&program, &body);
        let finishing = std::thread::spawn(move || {
            // The rest comes while the server is stopping, or just before.
            stream.write_all(&body[body.len() - 10..]).unwrap();
            read_answer(stream)
        });
        let ended = program.signal(signal);
        assert!(ended.success(), "{signal} {ended}");
        let answer = finishing.join().unwrap();
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        let again = Program::start(data.path(), &[]);
        assert!(
            status(&again, &id).contains(r#""status":"finished""#),
            "{signal}"
        );
    }
}

#[test]
fn a_pack_that_never_ends_does_not_hold_up_the_end() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &["--body-idle", "1h"]);
    let id = create(&program);
    let stream = begin(&program, &pack(&id));
    // It ends while the pack is still held back, long before a body that stands still is given up;
    // and says so before it goes.
    assert!(program.signal("TERM").success());
    assert_eq!(read_answer(stream).status, 503);
    let again = Program::start(data.path(), &[]);
    assert!(status(&again, &id).contains(r#""received":[[0,65536]]"#));
}

#[test]
fn killed_in_mid_pack_it_has_every_acknowledged_chunk_when_it_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &[]);
    let id = create(&program);
    let body = pack(&id);
    let _stream = begin(&program, &body);
    until("the first chunk is acknowledged", || {
        status(&program, &id).contains(r#""received":[[0,65536]]"#)
    });
    program.signal("KILL");
    let again = Program::start(data.path(), &[]);
    assert!(status(&again, &id).contains(r#""received":[[0,65536]]"#));
    let answer = again.ask("POST", "/hoist/packs", "", &body);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(r#""receipts":[{"#), "{answer:?}");
}
