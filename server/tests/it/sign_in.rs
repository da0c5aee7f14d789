//! Who gets in: a password, a proxy's word, or nobody.

use std::io::Write as _;

use crate::program::{Answer, Program, command, read_answer};

const HTML: &str = "Accept: text/html\r\n";

fn page(program: &Program, cookie: &str) -> Answer {
    program.ask("GET", "/", &format!("{HTML}{cookie}"), b"")
}

/// Sends the form; more headers end in a line break.
fn sign_in(program: &Program, password: &str, headers: &str) -> Answer {
    let headers = format!("{HTML}Content-Type: application/x-www-form-urlencoded\r\n{headers}");
    let body = format!("password={password}");
    program.ask("POST", "/sign-in", &headers, body.as_bytes())
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    format!("Cookie: {}\r\n", set.split(';').next().unwrap())
}

fn list(program: &Program, cookie: &str) -> u16 {
    program.ask("GET", "/hoist/uploads", cookie, b"").status
}

#[test]
fn with_a_password_nobody_sees_or_sends_anything_before_they_signed_in() {
    let data = tempfile::tempdir().unwrap();
    let flags = &["--addr", "0.0.0.0:0"];
    let variables = &[("HOIST_PASSWORD", "correct horse")];
    let mut program = Program::start_with(data.path(), flags, variables);
    assert!(
        program.line.contains("sign-in=password"),
        "{}",
        program.line
    );
    assert!(!program.line.contains("horse"), "{}", program.line);

    let answer = page(&program, "");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/sign-in"))
    );
    let form = program.ask("GET", "/sign-in", HTML, b"");
    assert_eq!(form.status, 200);
    assert!(form.body.contains(r#"name="password""#), "{form:?}");
    let create = br#"{"sender":"s","files":[{"name":"a","size":5}]}"#;
    for (method, path, body) in [
        ("GET", "/hoist/uploads", &b""[..]),
        ("POST", "/hoist/uploads", create),
        ("POST", "/hoist/packs", b"xxxx"),
        ("POST", "/hoist/form", b""),
        ("GET", "/hoist/zip", b""),
        ("POST", "/api/storage_used", b"{}"),
    ] {
        for cookie in ["", "Cookie: hoist_session=0000\r\n"] {
            let answer = program.ask(method, path, cookie, body);
            assert_eq!(answer.status, 401, "{path} {answer:?}");
            assert!(answer.body.contains("unauthorized"), "{path} {answer:?}");
        }
    }

    let wrong = sign_in(&program, "wrong", "");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    assert!(wrong.body.contains("This is not the password"), "{wrong:?}");
    let foreign = sign_in(&program, "correct+horse", "Origin: http://evil.example\r\n");
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));

    let right = sign_in(&program, "correct+horse", "");
    assert_eq!((right.status, right.header("location")), (303, Some("/")));
    let session = cookie(&right);
    let shown = page(&program, &session);
    assert_eq!(shown.status, 200);
    assert!(
        shown.body.contains(r#"action="/sign-out""#),
        "one can sign out"
    );
    assert_eq!(list(&program, &session), 200);
    assert_eq!(
        program
            .ask("POST", "/hoist/uploads", &session, create)
            .status,
        200
    );

    let out = program.ask("POST", "/sign-out", &session, b"");
    assert_eq!(
        (out.status, out.header("location")),
        (303, Some("/sign-in"))
    );
    assert!(
        out.header("set-cookie").unwrap().contains("Max-Age=0"),
        "{out:?}"
    );
    assert_eq!(list(&program, &cookie(&out)), 401);

    // A restart ends no session; another password ends all of them.
    assert!(program.signal("TERM").success());
    let mut again = Program::start_with(data.path(), &[], variables);
    assert_eq!(list(&again, &session), 200);
    assert!(again.signal("TERM").success());
    let other = Program::start_with(data.path(), &["--password", "other"], &[]);
    assert_eq!(list(&other, &session), 401);
}

#[test]
fn guessing_is_slowed_down() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--password", "right"]);
    let mut guesses = 0;
    let late = loop {
        let answer = sign_in(&program, "wrong", "");
        guesses += 1;
        assert!(guesses < 100, "nobody stops it");
        if answer.status != 401 {
            break answer;
        }
    };
    assert_eq!(late.status, 429);
    assert!(late.header("retry-after").is_some(), "{late:?}");
    assert_eq!(
        sign_in(&program, "right", "").status,
        429,
        "not even looked at"
    );
}

#[test]
fn behind_a_proxy_that_signs_in_each_person_has_their_own() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--trust-header", "X-User"]);
    let create = br#"{"sender":"s","files":[{"name":"hers-alone.bin","size":5}]}"#;
    let anna = "X-User: anna@a.example\r\n";
    assert_eq!(
        program.ask("POST", "/hoist/uploads", anna, create).status,
        200
    );
    assert!(page(&program, anna).body.contains("hers-alone.bin"));
    for other in ["X-User: anna@b.example\r\n", ""] {
        assert!(
            !page(&program, other).body.contains("hers-alone.bin"),
            "{other}"
        );
    }
    for nobody in ["", "X-User: \r\n", "X-User: a\r\nX-User: b\r\n"] {
        assert_eq!(list(&program, nobody), 401, "{nobody}");
        assert_eq!(
            program.ask("POST", "/hoist/uploads", nobody, create).status,
            401
        );
    }
}

#[test]
fn a_name_that_somebody_else_points_here_is_refused_where_files_are_shared() {
    for (flags, evil) in [
        (&["--open"][..], 403),
        (
            &["--addr", "0.0.0.0:0", "--open", "--visitors", "shared"],
            403,
        ),
        (&["--addr", "0.0.0.0:0", "--open"], 303),
    ] {
        let data = tempfile::tempdir().unwrap();
        let program = Program::start(data.path(), &[flags, &["--host", "files.example"]].concat());
        for (host, status) in [
            ("evil.example", evil),
            ("files.example", 303),
            ("localhost:3000", 303),
            ("192.168.7.7:3000", 303),
        ] {
            let mut stream = program.connect();
            let head = format!(
                "POST /hoist/form HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\nContent-Length: 7\r\n\
                 Content-Type: multipart/form-data; boundary=B\r\n\r\n--B--\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let answer = read_answer(stream);
            assert_eq!(answer.status, status, "{flags:?} {host} {answer:?}");
        }
    }
}

#[test]
fn health_tells_a_server_that_lives_from_one_that_does_not() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &["--addr", "0.0.0.0:0", "--password", "x"]);
    let addr = program.addr.clone();
    let health = || command(&["health", "--addr", &addr]).output().unwrap();
    let output = health();
    assert!(output.status.success(), "{output:?}");
    assert!(program.signal("TERM").success());
    let output = health();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");

    // Something else answers there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let output = command(&["health", "--addr", &addr]).output().unwrap();
    assert!(!output.status.success());
    other.join().unwrap();
}
