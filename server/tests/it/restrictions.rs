//! What the flags forbid is refused at every door, with its reason, and nothing of it stays.

use crate::program::Program;

const BOUNDARY: &str = "Content-Type: multipart/form-data; boundary=B\r\n";

/// A create of one file: the answer's body.
fn create(program: &Program, name: &str, size: u64) -> String {
    let body =
        format!(r#"{{"sender":"s","files":[{{"name":"{name}","size":{size},"lastModified":1}}]}}"#);
    program
        .ask("POST", "/hoist/uploads", "", body.as_bytes())
        .body
}

/// A form with one file: status and body.
fn form(program: &Program, name: &str, size: usize) -> (u16, String) {
    let mut body =
        format!("--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n");
    body.push_str(&"x".repeat(size));
    body.push_str("\r\n--B--\r\n");
    let answer = program.ask("POST", "/hoist/form", BOUNDARY, body.as_bytes());
    (answer.status, answer.body)
}

/// The plugin's upload of one file: the answer's body.
fn classic(program: &Program, name: &str, size: usize) -> String {
    let path = format!(
        "/server.php?action=upload&start=0&length={size}&size={size}&lastModified=2&name={name}"
    );
    program
        .ask("POST", &path, "", "x".repeat(size).as_bytes())
        .body
}

#[test]
fn each_restriction_of_the_flags_holds_at_every_door_and_says_why() {
    let data = tempfile::tempdir().unwrap();
    let flags = [
        "--min-file-size",
        "3",
        "--max-file-size",
        "50",
        "--type",
        ".txt,image/*",
        "--quota",
        "100",
        "--max-files",
        "4",
    ];
    let program = Program::start(data.path(), &flags);
    let refused = |name: &str, size: usize, code: &str, status: u16, words: &str| {
        let lower = format!(
            r#""code":"{code}","message":"{}{}"#,
            words[..1].to_ascii_lowercase(),
            &words[1..]
        );
        let answer = create(&program, name, size as u64);
        assert!(
            answer.contains(r#""answer":"refused""#) && answer.contains(&lower),
            "{answer}"
        );
        let (found, answer) = form(&program, name, size);
        let sentence = format!(r#"{{"code":"{code}","message":"{words}"#);
        assert!(
            found == status && answer.starts_with(&sentence),
            "{found} {answer}"
        );
        let answer = classic(&program, name, size);
        let sentence = format!(r#"{{"error":{status},"msg":"{words}"#);
        assert!(answer.starts_with(&sentence), "{answer}");
    };
    let limits = program.ask("GET", "/hoist/limits", "", b"").body;
    for part in [
        r#""minFileSize":3"#,
        r#""fileSize":50"#,
        r#""types":[".txt","image/*"]"#,
        r#""quotaLeft":100"#,
    ] {
        assert!(limits.contains(part), "{limits}");
    }
    refused(
        "small.txt",
        2,
        "too_large",
        413,
        "The file has 2 bytes, and 3 to 50 bytes are allowed",
    );
    // A form does not know how large its file will be.
    let large = create(&program, "large.txt", 51);
    assert!(
        large.contains("the file has 51 bytes, and 3 to 50 bytes are allowed"),
        "{large}"
    );
    let (status, said) = form(&program, "large.txt", 51);
    assert_eq!(status, 413);
    assert!(said.contains("The file has more than 50 bytes"), "{said}");
    assert!(
        classic(&program, "large.txt", 51)
            .starts_with(r#"{"error":413,"msg":"The file has 51 bytes"#)
    );
    refused(
        "a.exe",
        10,
        "type_not_allowed",
        415,
        "Files of this type are not taken here",
    );
    for name in ["one.txt", "two.txt"] {
        assert_eq!(classic(&program, name, 45), r#"{"error":0,"msg":""}"#);
    }
    refused(
        "third.txt",
        11,
        "quota_exceeded",
        507,
        "Your share of the storage is used up",
    );
    assert_eq!(form(&program, "third.txt", 3).0, 303);
    assert_eq!(
        classic(&program, "fourth.txt", 3),
        r#"{"error":0,"msg":""}"#
    );
    refused(
        "fifth.txt",
        3,
        "too_many",
        413,
        "Too many files: at most 4 are allowed",
    );
    // Nothing that was refused has left anything.
    let list = program.ask("GET", "/hoist/uploads", "", b"").body;
    assert!(
        list.contains(r#""counts":{"unfinished":0,"finished":4,"finishedBytes":96}"#),
        "{list}"
    );
    let mut names: Vec<_> = std::fs::read_dir(data.path().join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["fourth.txt", "one.txt", "third.txt", "two.txt"]);
}

#[test]
fn most_unfinished_uploads_are_a_restriction_too() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--max-unfinished", "1"]);
    assert!(create(&program, "a", 5).contains(r#""answer":"needed""#));
    let second = create(&program, "b", 5);
    assert!(
        second.contains("too many unfinished uploads: at most 1 are allowed"),
        "{second}"
    );
    assert!(
        create(&program, "a", 5).contains(r#""answer":"needed""#),
        "the same one goes on"
    );
}
