//! Reads and drops whatever is sent, and answers what the load client wants to hear: the client's ceiling.
//! `sink host:port`.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

/// What is kept of a body: enough for the manifest of a pack or a list of files.
const KEPT: usize = 1 << 20;

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or("127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(addr)?;
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that goes away ends its thread, and nothing else.
        thread::spawn(move || drop(serve(stream)));
    }
    Ok(())
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    let mut scrap = vec![0; 1 << 20];
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            value.trim().parse::<usize>().ok().filter(|_| is_length)
        });
        let (mut left, mut kept) = (length.unwrap_or(0), Vec::new());
        while left > 0 {
            let most = left.min(scrap.len());
            let found = stream.read(scrap.get_mut(..most).unwrap_or_default())?;
            if found == 0 {
                return Ok(());
            }
            left -= found;
            let room = KEPT.saturating_sub(kept.len()).min(found);
            kept.extend_from_slice(scrap.get(..room).unwrap_or_default());
        }
        let body = answer(&head, &kept).unwrap_or(Value::Null).to_string();
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn answer(head: &str, body: &[u8]) -> Option<Value> {
    if head.starts_with("POST /hoist/uploads ") {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let needed = |number| json!({ "answer": "needed", "id": format!("{number:032x}") });
        let answers: Vec<Value> = (0..asked.get("files")?.as_array()?.len())
            .map(needed)
            .collect();
        return Some(json!({ "answers": answers }));
    }
    let length = body.get(..4)?.try_into().ok().map(u32::from_be_bytes)?;
    let manifest = body.get(4..)?.get(..usize::try_from(length).ok()?)?;
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    let count = manifest.get("chunks")?.as_array()?.len();
    Some(json!({ "results": vec![json!({ "result": "acknowledged" }); count] }))
}
