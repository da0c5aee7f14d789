//! Pages, protocol and visitors in one router.

use crate::program::Program;

#[test]
fn the_page_is_served_beside_the_protocol_with_a_policy() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--prefix", "/up/load"]);
    let body = br#"{"sender":"s","files":[{"name":"waiting.bin","size":5}]}"#;
    assert_eq!(
        program.ask("POST", "/up/load/uploads", "", body).status,
        200
    );
    let page = program.ask("GET", "/", "Accept: text/html\r\n", b"");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'self'",
        "'nonce-",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        page.body.contains("waiting.bin"),
        "the first list is in the page"
    );
    assert!(page.body.contains("/up/load"), "the page knows the prefix");
    assert_eq!(page.header("set-cookie"), None);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let api = program.ask("GET", "/up/load/limits", "", b"");
    assert_eq!(api.header("content-security-policy"), None);
    assert_eq!(program.ask("GET", "/hoist/limits", "", b"").status, 404);
}

#[test]
fn each_browser_sees_its_own() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &["--visitors", "cookie"]);
    let visit = |program: &Program, cookie: &str| {
        let headers = format!("Accept: text/html\r\n{cookie}");
        let page = program.ask("GET", "/", &headers, b"");
        let set = page.header("set-cookie").unwrap().to_owned();
        let pair = set.split(';').next().unwrap();
        (page.body, format!("Cookie: {pair}\r\n"))
    };
    let (_, mine) = visit(&program, "");
    let (_, other) = visit(&program, "");
    let body = br#"{"sender":"s","files":[{"name":"mine-alone.bin","size":5}]}"#;
    assert_eq!(
        program.ask("POST", "/hoist/uploads", &mine, body).status,
        200
    );
    assert!(visit(&program, &mine).0.contains("mine-alone.bin"));
    assert!(!visit(&program, &other).0.contains("mine-alone.bin"));
    assert!(!visit(&program, "").0.contains("mine-alone.bin"));
    assert_eq!(program.ask("GET", "/hoist/uploads", "", b"").status, 403);
    let forged = "Cookie: hoist_visitor=00\r\n";
    let answer = program.ask("GET", "/hoist/uploads", forged, b"");
    assert!(answer.body.contains("visitor_unknown"), "{answer:?}");
    // The key stays with the folder, so visitors are known after a restart.
    assert!(program.signal("TERM").success());
    let again = Program::start(data.path(), &["--visitors", "cookie"]);
    assert!(visit(&again, &mine).0.contains("mine-alone.bin"));
}

#[test]
fn on_loopback_it_answers_to_no_foreign_name() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--host", "files.example"]);
    for (host, status) in [
        ("evil.example", 403),
        ("files.example", 200),
        ("localhost:3000", 200),
    ] {
        // The first of two hosts would be a bad request, so this one asks by hand.
        use std::io::Write as _;
        let mut stream = program.connect();
        let head =
            format!("GET /hoist/uploads HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = crate::program::read_answer(stream);
        assert_eq!(answer.status, status, "{host} {answer:?}");
    }
}

/// Sends a form with one file, as a browser without JavaScript does.
fn send_form(program: &Program, name: &str, content: &str) -> crate::program::Answer {
    let headers = format!(
        "Accept: text/html\r\nReferer: {}/\r\nContent-Type: multipart/form-data; boundary=B\r\n",
        program.url()
    );
    let body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--B--\r\n"
    );
    program.ask("POST", "/hoist/form", &headers, body.as_bytes())
}

#[test]
fn without_javascript_the_page_lists_deletes_and_says_what_failed() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &["--max-file-size", "10"]);
    let html = "Accept: text/html\r\n";
    let plain = |path: &str| {
        let page = program.ask("GET", path, html, b"");
        let (_, rest) = page.body.split_once("<noscript>").unwrap();
        let (plain, _) = rest.split_once("</noscript>").unwrap();
        (plain.to_owned(), page.body)
    };
    assert!(plain("/").0.contains("No files are stored yet"));
    for (name, content) in [("文件.txt", "hello"), ("empty", ""), ("", "")] {
        let answer = send_form(&program, name, content);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    }
    let (list, page) = plain("/");
    assert_eq!(
        list.matches("<li").count(),
        2,
        "an untouched field is no file: {list}"
    );
    assert!(
        list.contains("文件.txt") && list.contains("empty"),
        "{list}"
    );
    assert!(!page.contains("page__notice"));

    let (_, rest) = list.split_once("name=\"id\" value=\"").unwrap();
    let body = format!("id={}", &rest[..32]);
    let answer = program.ask("POST", "/hoist/form/delete", html, body.as_bytes());
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(plain("/").0.matches("<li").count(), 1);

    let answer = send_form(&program, "big", "more than ten bytes");
    assert_eq!(answer.header("location"), Some("/?hoist-error=too_large"));
    let (_, page) = plain("/?hoist-error=too_large");
    assert!(page.contains("larger than this server takes"), "{page}");
    assert!(!plain("/?hoist-error=nonsense").1.contains("page__notice"));
}

#[test]
fn a_refusal_of_a_server_function_has_its_own_status_and_words() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &[]);
    let json = "Content-Type: application/json\r\nAccept: application/json\r\n";
    let body = br#"{"sender":"s","files":[{"name":"a.txt","size":0}]}"#;
    let created = program.ask("POST", "/hoist/uploads", "", body).body;
    let (_, rest) = created.split_once(r#""id":""#).unwrap();
    let id = &rest[..32];
    let rename = |id: &str, name: &str| {
        let body = format!(r#"{{"id":"{id}","name":"{name}"}}"#);
        program.ask("POST", "/api/rename_file", json, body.as_bytes())
    };
    for (id, name, status, code) in [
        (id, "a/b", 422, "name_not_allowed"),
        (
            "00000000000000000000000000000000",
            "b.txt",
            404,
            "not_found",
        ),
    ] {
        let answer = rename(id, name);
        assert_eq!(answer.status, status, "{}", answer.body);
        let said = format!(r#"{{"Refused":{{"code":"{code}","message":""#);
        assert!(answer.body.starts_with(&said), "{}", answer.body);
    }
    let renamed = rename(id, "b.txt");
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    assert!(data.path().join("files/b.txt").is_file());
}
