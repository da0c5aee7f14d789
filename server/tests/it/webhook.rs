//! Webhooks, received by a server of the test and checked with the specification's own library.

use std::{
    collections::HashMap,
    io::Write as _,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;

use crate::program::{Program, read_request, until};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=";

/// One delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Delivery {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that takes deliveries and answers each with what the test says.
pub(crate) struct Receiver {
    pub(crate) addr: String,
    all: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    /// `answer` says the status line and headers of the n-th delivery.
    pub(crate) fn start(
        answer: impl Fn(usize, &Delivery) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let all = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&all), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) =
                    (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    while let Some((head, body)) = read_request(&mut stream) {
                        let mut lines = head.split("\r\n");
                        let path = lines.next().unwrap().to_owned();
                        let headers =
                            lines
                                .filter_map(|line| line.split_once(": "))
                                .map(|(name, value)| {
                                    let name: HeaderName = name.parse().unwrap();
                                    (name, HeaderValue::from_str(value).unwrap())
                                });
                        let delivery = Delivery {
                            path,
                            headers: headers.collect(),
                            body: String::from_utf8(body).unwrap(),
                        };
                        let mut seen = seen.lock().unwrap();
                        let status = answer(seen.len(), &delivery);
                        seen.push(delivery);
                        drop(seen);
                        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    }
                });
            }
        });
        Self { addr, all }
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.all.lock().unwrap().clone()
    }
}

pub(crate) fn is_signed(delivery: &Delivery, secret: &str) -> bool {
    Webhook::new(secret)
        .unwrap()
        .verify(delivery.body.as_bytes(), &delivery.headers)
        .is_ok()
}

/// Sends a file of five bytes; its id.
pub(crate) fn send(program: &Program, name: &str) -> String {
    let body =
        format!(r#"{{"sender":"s","files":[{{"name":"{name}","size":5,"lastModified":1}}]}}"#);
    let answer = program.ask("POST", "/hoist/uploads", "", body.as_bytes());
    let id = answer.body.split(r#""id":""#).nth(1).unwrap()[..32].to_owned();
    let manifest = format!(
        r#"{{"sender":"s","attempt":0,"chunks":[{{"upload":"{id}","index":0,"length":5}}]}}"#
    );
    let length = u32::try_from(manifest.len()).unwrap().to_be_bytes();
    let pack = [&length, manifest.as_bytes(), b"hello"].concat();
    let sent = program.ask("POST", "/hoist/packs", "", &pack);
    assert!(sent.body.contains("acknowledged"), "{}", sent.body);
    id
}

fn flags<'a>(url: &'a str, secret: &'a str) -> Vec<&'a str> {
    vec![
        "--webhook",
        url,
        "--webhook-secret",
        secret,
        "--webhook-private",
    ]
}

#[test]
fn what_becomes_of_a_file_is_told_signed_and_in_order_and_again_until_it_is_taken() {
    let data = tempfile::tempdir().unwrap();
    // The first try is answered with a redirect, which nobody follows, the second fails.
    let elsewhere = Receiver::start(|_, _| "200 OK".into());
    let trap = format!("302 Found\r\nLocation: http://{}/trap", elsewhere.addr);
    let receiver = Receiver::start(move |n, _| match n {
        0 => trap.clone(),
        1 => "500 Not Now".into(),
        _ => "204 No Content".into(),
    });
    let url = format!("http://{}/hook?a=b", receiver.addr);
    let both = format!("{SECRET},{OTHER}");
    let program = Program::start(data.path(), &flags(&url, &both));
    assert!(
        program.line.contains("webhooks=1") && !program.line.contains("whsec"),
        "{}",
        program.line
    );
    let id = send(&program, "a.txt");
    let deleted = program.ask("DELETE", &format!("/hoist/uploads/{id}"), "", b"");
    assert!(deleted.body.contains("deleting"), "{}", deleted.body);
    until("all of it was told", || receiver.deliveries().len() >= 4);
    let all = receiver.deliveries();
    let ids: Vec<_> = all
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(
        (&ids[0], &ids[1]),
        (&ids[2], &ids[2]),
        "one delivery, three times"
    );
    assert!(
        ids[3] != ids[0] && ids[0].starts_with(&format!("msg_{id}_")),
        "{ids:?}"
    );
    for one in &all {
        assert_eq!(one.path, "POST /hook?a=b HTTP/1.1");
        assert_eq!(one.header("content-type"), "application/json");
        assert!(is_signed(one, SECRET) && is_signed(one, OTHER), "{one:?}");
        assert!(!is_signed(
            one,
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        ));
        let mut forged = one.clone();
        forged.body = forged.body.replace("a.txt", "b.txt");
        assert!(!is_signed(&forged, SECRET));
    }
    let told: Vec<_> = all
        .iter()
        .map(|one| one.json()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "file.finished",
            "file.finished",
            "file.finished",
            "file.deleted"
        ]
    );
    let receipt = &all[0].json()["data"]["receipt"];
    assert_eq!(
        (
            receipt["id"].as_str().unwrap(),
            receipt["storedAs"].as_str().unwrap()
        ),
        (id.as_str(), "a.txt")
    );
    assert_eq!(
        receipt["hash"].as_str().unwrap(),
        blake3::hash(b"hello").to_hex().as_str()
    );
    assert_eq!(all[0].json()["data"]["owner"].as_str().unwrap(), "shared");
    assert!(
        elsewhere.deliveries().is_empty(),
        "a redirect is not followed"
    );
}

#[test]
fn a_killed_server_tells_after_its_next_start_what_it_had_not_told() {
    let data = tempfile::tempdir().unwrap();
    let is_up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let receiver = Receiver::start(move |_, _| {
        if up.load(std::sync::atomic::Ordering::SeqCst) {
            "200 OK".into()
        } else {
            "503 Later".into()
        }
    });
    let url = format!("http://{}/", receiver.addr);
    let mut program = Program::start(data.path(), &flags(&url, SECRET));
    let ids: Vec<_> = (0..20)
        .map(|n| send(&program, &format!("{n}.txt")))
        .collect();
    until("some was tried", || !receiver.deliveries().is_empty());
    program.signal("KILL");
    is_up.store(true, std::sync::atomic::Ordering::SeqCst);
    let before = receiver.deliveries().len();
    let _program = Program::start(data.path(), &flags(&url, SECRET));
    until("everything was told", || {
        let all = receiver.deliveries();
        let taken: std::collections::HashSet<_> = all[before..]
            .iter()
            .map(|one| {
                one.json()["data"]["receipt"]["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        ids.iter().all(|id| taken.contains(id))
    });
    // Each upload was finished once, however often that was told.
    let mut numbers: HashMap<String, String> = HashMap::new();
    for one in receiver.deliveries() {
        let upload = one.json()["data"]["receipt"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let id = one.header("webhook-id").to_owned();
        assert_eq!(numbers.entry(upload).or_insert_with(|| id.clone()), &id);
    }
}

#[test]
fn nothing_is_told_into_the_servers_own_network_unless_that_is_allowed() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| "200 OK".into());
    let port = receiver.addr.rsplit(':').next().unwrap();
    // An address is refused at once …
    for host in [
        "127.0.0.1",
        "[::1]",
        "10.0.0.1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let url = format!("http://{host}:{port}/");
        let output =
            crate::program::command(&["--webhook", &url, "--webhook-secret", SECRET, "--data"])
                .arg(data.path())
                .output()
                .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains("--webhook-private"),
            "{url}: {said}"
        );
    }
    // … and a name when it is found to mean one.
    let log = data.path().join("log");
    let url = format!("http://localhost:{port}/?secret=in-the-address");
    let program = Program::start_logged(
        &data.path().join("data"),
        &["--webhook", &url, "--webhook-secret", SECRET],
        &log,
    );
    send(&program, "a.txt");
    until("it was refused", || {
        std::fs::read_to_string(&log)
            .unwrap()
            .contains("no address on the public internet")
    });
    assert!(receiver.deliveries().is_empty());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(
        said.contains("webhook localhost") && !said.contains("in-the-address"),
        "{said}"
    );
}

#[test]
fn bad_webhooks_are_refused_in_words() {
    for (flags, word) in [
        (&["--webhook", "https://a.example/"][..], "--webhook-secret"),
        (
            &[
                "--webhook",
                "https://a.example/",
                "--webhook-secret",
                "whsec_AAAA",
            ],
            "--webhook-secret",
        ),
        (
            &[
                "--webhook",
                "https://a.example/",
                "--webhook-secret",
                "plain",
            ],
            "--webhook-secret",
        ),
        (
            &["--webhook", "ftp://a.example/", "--webhook-secret", SECRET],
            "--webhook must be",
        ),
        (
            &[
                "--webhook",
                "https://u:p@a.example/",
                "--webhook-secret",
                SECRET,
            ],
            "--webhook must be",
        ),
        (
            &["--webhook", "/hook", "--webhook-secret", SECRET],
            "--webhook must be",
        ),
    ] {
        let data = tempfile::tempdir().unwrap();
        let output = crate::program::command(flags)
            .arg("--data")
            .arg(data.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(word) && !said.contains("MfKQ9r8G"),
            "{flags:?}: {said}"
        );
    }
}
