//! What is logged of uploads: one line for each event, with its id, and nothing that is private.

use crate::{
    program::{Program, until},
    webhook::send,
};

#[test]
fn each_event_of_an_upload_is_one_line_with_its_id_and_without_names_contents_or_tokens() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let program = Program::start_logged(&data.path().join("data"), &[], &log);
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
    let ids = format!(r#"{{"ids":["{id}"]}}"#);
    program.ask("POST", "/hoist/uploads/delete", &bearer, ids.as_bytes());
    program.ask("POST", "/hoist/uploads/restore", &bearer, ids.as_bytes());
    program.ask("POST", "/hoist/uploads/delete", "", ids.as_bytes());
    let begun = r#"{"sender":"s","files":[{"name":"private-two","size":9,"lastModified":1}]}"#;
    let begun = program.ask("POST", "/hoist/uploads", "", begun.as_bytes());
    let begun = begun.body.split(r#""id":""#).nth(1).unwrap()[..32].to_owned();
    program.ask("DELETE", &format!("/hoist/uploads/{begun}"), "", b"");
    let of = |id: &str| {
        let all = std::fs::read_to_string(&log).unwrap();
        let lines = all
            .lines()
            .filter(|line| line.contains(&format!("id={id}")));
        let words = ["created", "finished", "deleted", "restored", "cancelled"];
        let what = |line: &str| {
            words
                .iter()
                .find(|word| line.contains(*word))
                .map(|word| (*word).to_owned())
        };
        lines
            .map(|line| what(line).unwrap_or_else(|| line.to_owned()))
            .collect::<Vec<_>>()
    };
    until("all of it is logged", || of(&begun).len() >= 2);
    assert_eq!(
        of(&id),
        ["created", "finished", "deleted", "restored", "deleted"]
    );
    assert_eq!(of(&begun), ["created", "cancelled"]);
    let all = std::fs::read_to_string(&log).unwrap();
    for private in ["private", "hello", &token[..12], &token[6..]] {
        assert!(!all.contains(private), "{private}: {all}");
    }
}
