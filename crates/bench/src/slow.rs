//! Many who send slowly at once.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{hoist, http::Connection, plain, source::Source};

/// How they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// A pack with one chunk.
    Hoist,
    /// HTTP PUT.
    Put,
    /// tus with one PATCH.
    Tus,
}

/// Writes a second, of each.
const STEPS: u32 = 8;
/// A thread that only writes to a socket needs no more.
const STACK: usize = 64 << 10;

/// Sends each file on a connection of its own at `rate` bytes a second; returns how many came to a good
/// end, and the seconds.
///
/// # Errors
///
/// If uploads cannot be created, or no thread started.
pub fn send(
    speech: Speech,
    addr: &str,
    prefix: &str,
    rate: usize,
    source: &Source,
) -> io::Result<(usize, f64)> {
    let heads = heads(speech, addr, prefix, source)?;
    let done = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for (number, (target, more, front)) in heads.iter().enumerate() {
            let (done, file) = (&done, source.file(number));
            let run = move || -> io::Result<()> {
                let mut connection = Connection::open(addr)?;
                let length = (front.len() + file.len()) as u64;
                connection.begin(target.0, &target.1, more, length)?;
                connection.send(front)?;
                let step = (rate / STEPS as usize).max(1);
                let from = Instant::now();
                for (count, part) in (0..).zip(file.chunks(step)) {
                    let due = Duration::from_secs(1) / STEPS * count;
                    thread::sleep(due.saturating_sub(from.elapsed()));
                    connection.send(part)?;
                }
                if (200..300).contains(&connection.answer()?.status) {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            let run = move || drop(run());
            thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, run)?;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok((done.into_inner(), begun.elapsed().as_secs_f64()))
}

/// What goes before the bytes of a file: method and path, header lines, the front of the body.
type Head = ((&'static str, String), String, Vec<u8>);

fn heads(speech: Speech, addr: &str, prefix: &str, source: &Source) -> io::Result<Vec<Head>> {
    let mut connection = Connection::open(addr)?;
    let files = 0..source.count();
    match speech {
        Speech::Put => Ok(files
            .map(|number| {
                (
                    ("PUT", plain::path(prefix, number)),
                    String::new(),
                    Vec::new(),
                )
            })
            .collect()),
        Speech::Tus => files
            .map(|_| {
                let path = plain::create(&mut connection, prefix, source.size())?;
                Ok((("PATCH", path), plain::patch(0), Vec::new()))
            })
            .collect(),
        Speech::Hoist => {
            let chunk_size = source.size().next_power_of_two().max(64 << 10) as u64;
            let mut heads = Vec::new();
            for body in hoist::creates(source.count(), source.size(), chunk_size, 1) {
                let answer = connection.request(
                    ("POST", "/hoist/uploads"),
                    "",
                    &[body.as_bytes()],
                    &[200],
                )?;
                let answer: Value = serde_json::from_slice(&answer.body)?;
                for file in answer["answers"].as_array().map_or(&[][..], Vec::as_slice) {
                    let manifest = json!({ "sender": "bench", "attempt": 0, "chunks": [
                        { "upload": file["id"], "index": 0, "length": source.size() }
                    ] })
                    .to_string();
                    let length = u32::try_from(manifest.len()).map_err(io::Error::other)?;
                    let front = [&length.to_be_bytes(), manifest.as_bytes()].concat();
                    heads.push((("POST", "/hoist/packs".to_owned()), String::new(), front));
                }
            }
            Ok(heads)
        }
    }
}
