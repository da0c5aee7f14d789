//! What is logged of uploads: one line for each event, with its id, and nothing that is private.

use std::path::Path;

use crate::{
    program::{Program, until},
    webhook::send,
};

/// The events of an upload, one for each line that has its id; a line that is none, as it is.
fn events(log: &Path, id: &str) -> Vec<String> {
    let all = std::fs::read_to_string(log).unwrap();
    let lines = all
        .lines()
        .filter(|line| line.contains(" INFO ") && line.contains(&format!("id={id}")));
    let words = [
        "created",
        "finished",
        "renamed",
        "deleted",
        "restored",
        "cancelled",
        "expired",
        "removed",
    ];
    let what = |line: &str| words.iter().find(|word| line.contains(*word)).copied();
    lines
        .map(|line| what(line).unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn each_event_of_an_upload_is_one_line_with_its_id_and_without_names_contents_or_tokens() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let program = Program::start_logged(&data.path().join("data"), &["--log", "trace"], &log);
    let id = send(&program, "private-name.txt");
    let asked = br#"{"may":["read","delete"],"lifetime":60000}"#;
    let token = program.ask("POST", &format!("/hoist/uploads/{id}/tokens"), "", asked);
    let token = token.body.split(r#""token":""#).nth(1).unwrap()[..70].to_owned();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let read = program.ask(
        "GET",
        &format!("/hoist/files/{id}/x?token={token}"),
        &bearer,
        b"",
    );
    assert_eq!((read.status, read.body.as_str()), (200, "hello"));
    let rename = format!(r#"{{"id":"{id}","name":"private-new.txt"}}"#);
    let json = "Content-Type: application/json\r\nAccept: application/json\r\n";
    let renamed = program.ask("POST", "/api/rename_file", json, rename.as_bytes());
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let ids = format!(r#"{{"ids":["{id}"]}}"#);
    program.ask("POST", "/hoist/uploads/delete", &bearer, ids.as_bytes());
    program.ask("POST", "/hoist/uploads/restore", &bearer, ids.as_bytes());
    program.ask("POST", "/hoist/uploads/delete", "", ids.as_bytes());
    let begun = r#"{"sender":"s","files":[{"name":"private-two","size":9,"lastModified":1}]}"#;
    let begun = program.ask("POST", "/hoist/uploads", "", begun.as_bytes());
    let begun = begun.body.split(r#""id":""#).nth(1).unwrap()[..32].to_owned();
    program.ask("DELETE", &format!("/hoist/uploads/{begun}"), "", b"");
    until("all of it is logged", || events(&log, &begun).len() >= 2);
    assert_eq!(
        events(&log, &id),
        [
            "created", "finished", "renamed", "deleted", "restored", "deleted"
        ]
    );
    assert_eq!(events(&log, &begun), ["created", "cancelled"]);
    let all = std::fs::read_to_string(&log).unwrap();
    for private in ["private", "hello", &token[..12], &token[6..]] {
        assert!(!all.contains(private), "{private}: {all}");
    }
}

#[test]
fn what_goes_by_itself_is_logged_too() {
    let data = tempfile::tempdir().unwrap();
    let (log, folder) = (data.path().join("log"), data.path().join("data"));
    let flags = ["--keep-unfinished", "1s", "--delete-grace", "0s"];
    let mut program = Program::start(&folder, &flags);
    let id_of = |answer: &str| answer.split(r#""id":""#).nth(1).unwrap()[..32].to_owned();
    let create = |size: u8| {
        let body = format!(r#"{{"sender":"s","files":[{{"name":"a{size}","size":{size}}}]}}"#);
        id_of(
            &program
                .ask("POST", "/hoist/uploads", "", body.as_bytes())
                .body,
        )
    };
    let (done, begun) = (create(0), create(9));
    program.ask("DELETE", &format!("/hoist/uploads/{done}"), "", b"");
    let is_gone = || {
        let ids = format!(r#"{{"ids":["{begun}"]}}"#);
        let status = program.ask("POST", "/hoist/uploads/status", "", ids.as_bytes());
        status.body.contains("gone")
    };
    until("its time is over", is_gone);
    program.signal("TERM");
    // A start sweeps at once.
    let _program = Program::start_logged(&folder, &flags, &log);
    until("both are gone", || {
        !events(&log, &done).is_empty() && !events(&log, &begun).is_empty()
    });
    assert_eq!(events(&log, &done), ["removed"]);
    assert_eq!(events(&log, &begun), ["expired"]);
}
