//! The classic dialect of the program: the script with curl, and what the flags say.

use std::{fs, process::Command};

use crate::program::{Program, root};

const LIST: &[u8] = br#"[{"name":"a.bin","size":6,"lastModified":5}]"#;
const UPLOAD: &str = "?action=upload&part=0&start=0&length=6&size=6&lastModified=5&name=a.bin";

#[test]
fn curl_alone_holds_the_whole_conversation_of_the_plugin() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &[]);
    let work = tempfile::tempdir().unwrap();
    for (name, size) in [("four.bin", 4_usize), ("a 你好 [1]&.bin", 1_234_567)] {
        let content: Vec<u8> = (0..size)
            .map(|n| ((n * 31 + n / 256 + size) % 251).try_into().unwrap())
            .collect();
        let file = work.path().join(name);
        fs::write(&file, &content).unwrap();
        let run = |keep: &str| {
            let output = Command::new("bash")
                .arg(root().join("scripts/demo-classic.sh"))
                .arg(format!("{}/server.php", program.url()))
                .arg(&file)
                .env("KEEP", keep)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let failed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name}\n{said}\n{failed}");
            assert!(said.ends_with(&format!("ok {name}\n")), "{said}");
        };
        // Once to the end, with the delete; then what is kept is compared, byte by byte.
        run("0");
        run("1");
        let stored: Vec<_> = fs::read_dir(data.path().join("files"))
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .filter(|stored| stored.len() == size)
            .collect();
        // The deleted one still lies there for its grace, under a name of its own.
        assert!(!stored.is_empty());
        for stored in stored {
            assert_eq!(blake3::hash(&stored), blake3::hash(&content), "{name}");
        }
    }
}

#[test]
fn what_one_door_takes_the_other_shows() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--classic", "/old/server.php"]);
    let path = |query: &str| format!("/old/server.php{query}");
    let answer = program.ask("POST", &path(UPLOAD), "", b"abcdef");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"error":0,"msg":""}"#)
    );
    let list = program.ask("GET", "/hoist/uploads", "", b"");
    let hash = blake3::hash(b"abcdef").to_hex();
    assert!(list.body.contains(hash.as_str()), "{list:?}");
    let init = program.ask("POST", &path("?action=init"), "", LIST);
    assert!(init.body.ends_with(r#""data":[false]}"#), "{init:?}");
    let elsewhere = program.ask("POST", "/server.php?action=init", "", LIST);
    assert_ne!(elsewhere.status, 200);
    assert!(program.line.contains("classic=/old/server.php"));
}

#[test]
fn it_can_be_turned_off() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--classic", "off"]);
    let init = program.ask("POST", "/server.php?action=init", "", LIST);
    assert_ne!(init.status, 200);
}

#[test]
fn behind_a_password_it_says_so_in_its_own_words() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--password", "correct horse"]);
    let answer = program.ask("POST", "/server.php?action=init", "", LIST);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .body
            .starts_with(r#"{"error":401,"msg":"Please sign in""#),
        "{answer:?}"
    );
}

#[test]
fn who_keeps_no_cookie_brings_a_secret() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--visitors", "cookie"]);
    let file = data.path().join("sent.bin");
    fs::write(&file, vec![7; 100_000]).unwrap();
    let demo = |address: &str| {
        Command::new("bash")
            .arg(root().join("scripts/demo-classic.sh"))
            .arg(format!("{}/server.php{address}", program.url()))
            .arg(&file)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(demo("/0123456789abcdef0123456789abcdef"));
    assert!(!demo(""), "parts of nobody's files are refused");
    let whole = program.ask("POST", &format!("/server.php{UPLOAD}"), "", b"abcdef");
    assert_eq!(whole.body, r#"{"error":0,"msg":""}"#);
    let init = program.ask("POST", "/server.php?action=init", "", LIST);
    assert!(init.body.ends_with(r#""data":[true]}"#), "{init:?}");
}
