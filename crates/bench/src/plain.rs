//! Sends as clients of other servers do: HTTP PUT, and tus 1.0.

use std::io;

use crate::{http::Connection, on_connections, source::Source};

/// Puts every file; returns seconds.
///
/// # Errors
///
/// If the server refuses one.
pub fn put(addr: &str, prefix: &str, connections: usize, source: &Source) -> io::Result<f64> {
    on_connections(
        connections,
        source.count(),
        || Connection::open(addr),
        |connection, number| {
            let (path, body) = (path(prefix, number), [source.file(number)]);
            connection
                .request(("PUT", &path), "", &body, &[200, 201, 204])
                .map(drop)
        },
    )
}

/// Where a file is put.
#[must_use]
pub fn path(prefix: &str, number: usize) -> String {
    let (folder, name) = Source::name(number);
    format!("{prefix}{folder}/{name}")
}

/// Sends every file by tus, in requests of so many bytes, or one for all; returns seconds.
///
/// # Errors
///
/// If the server refuses one.
pub fn tus(
    addr: &str,
    prefix: &str,
    connections: usize,
    chunk_size: Option<usize>,
    source: &Source,
) -> io::Result<f64> {
    on_connections(
        connections,
        source.count(),
        || Connection::open(addr),
        |connection, number| {
            let path = create(connection, prefix, source.size())?;
            let mut offset = 0;
            for part in source
                .file(number)
                .chunks(chunk_size.unwrap_or(source.size()))
            {
                connection.request(("PATCH", &path), &patch(offset), &[part], &[204])?;
                offset += part.len();
            }
            Ok(())
        },
    )
}

/// Creates one upload, and returns its path.
///
/// # Errors
///
/// If the server refuses it.
pub fn create(connection: &mut Connection, prefix: &str, size: usize) -> io::Result<String> {
    let more = format!("Tus-Resumable: 1.0.0\r\nUpload-Length: {size}\r\n");
    let answer = connection.request(("POST", prefix), &more, &[], &[201])?;
    let location = answer
        .location
        .ok_or_else(|| io::Error::other("no Location"))?;
    // Absolute or not: the path is what counts here.
    Ok(match location.split_once("://") {
        Some((_, rest)) => rest
            .find('/')
            .map_or(String::new(), |at| rest[at..].to_owned()),
        None => location,
    })
}

/// The header lines of a PATCH.
#[must_use]
pub fn patch(offset: usize) -> String {
    format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
    )
}
