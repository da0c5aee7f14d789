//! The binary, started on a free port and stopped with the test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The binary with flags and nothing of this shell's settings.
pub(crate) fn command(flags: &[&str]) -> Command {
    clean(&Program::path(), flags)
}

/// Another program with flags and nothing of this shell's settings.
fn clean(program: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if name.starts_with("HOIST_") || name.starts_with("LEPTOS_") {
            command.env_remove(name);
        }
    }
    command.args(flags).current_dir(root());
    command
}

pub(crate) struct Program {
    child: Child,
    /// The line it printed.
    pub(crate) line: String,
    /// As `127.0.0.1:41234`.
    pub(crate) addr: String,
}

impl Program {
    /// Starts it and waits until it says where it answers.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        Self::start_with(data, flags, &[])
    }

    /// The same, with variables in its environment. On loopback if no flag says otherwise.
    pub(crate) fn start_with(data: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_program(&Self::path(), data, flags, variables)
    }

    /// The binary: that of this build, or for a lab another.
    pub(crate) fn path() -> PathBuf {
        let set = std::env::var_os("LAB_PROGRAM");
        set.map_or_else(|| env!("CARGO_BIN_EXE_hoist").into(), PathBuf::from)
    }

    /// The same with another program, which becomes this one.
    pub(crate) fn start_program(
        program: &Path,
        data: &Path,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::spawn(program, data, flags, variables, Stdio::null())
    }

    /// The same, with its log in a file.
    pub(crate) fn start_logged(data: &Path, flags: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::spawn(&Self::path(), data, flags, &[], log.into())
    }

    fn spawn(
        program: &Path,
        data: &Path,
        flags: &[&str],
        variables: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let mut command = clean(program, flags);
        if !flags.contains(&"--addr") {
            command.args(["--addr", "127.0.0.1:0"]);
        }
        let mut child = command
            .envs(variables.iter().copied())
            .args(["--keep-free", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = send.send(line);
        });
        let line = receive.recv_timeout(LONG).unwrap();
        let addr = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_else(|| panic!("it did not start: {line:?}"))
            .to_owned();
        Self { child, line, addr }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Sends `signal`, as `TERM`, and waits for the end.
    pub(crate) fn signal(&mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(status.success());
        wait(&mut self.child)
    }

    /// Its number, as in /proc.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A number that the kernel knows of it, as `Threads:`.
    pub(crate) fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }

    /// Memory that it holds now, in bytes.
    pub(crate) fn resident(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// The most memory that it has held so far, in bytes.
    pub(crate) fn most_resident(&self) -> usize {
        self.status("VmHWM:") * 1024
    }

    /// Bytes of files that have come to it.
    pub(crate) fn received_bytes(&self) -> u64 {
        let body = self.ask("GET", "/healthz", "", b"").body;
        let (_, rest) = body.split_once(r#""receivedBytes":"#).unwrap();
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
        digits.unwrap().parse().unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// One request on a connection of its own: the status, the head and the body of the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            self.addr,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        read_answer(stream)
    }
}

/// Waits for the end of a process. One that does not end is killed, and the test has failed.
fn wait(child: &mut Child) -> ExitStatus {
    let pid = child.id().to_string();
    let (ended, end) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        let is_late = end.recv_timeout(LONG) == Err(mpsc::RecvTimeoutError::Timeout);
        if is_late {
            let _ = Command::new("kill").args(["-s", "KILL", &pid]).status();
        }
        is_late
    });
    let status = child.wait().unwrap();
    drop(ended);
    assert!(!guard.join().unwrap(), "it did not end by itself");
    status
}

/// Asks again until it is so; a test that waits for ever has failed instead.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    #[allow(
        clippy::disallowed_methods,
        reason = "a bound for what a real process does"
    )]
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "not in time: {what}");
        std::thread::yield_now();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case but for values.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find_map(|(found, value)| (found == name).then_some(value))
    }
}

/// Reads one request of a client: its head, and its body of a known length.
pub(crate) fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1)?.lines().next()?;
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Reads until the other side closes.
pub(crate) fn read_answer(mut stream: TcpStream) -> Answer {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let text = String::from_utf8_lossy(&all);
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
