//! As much of an HTTP/1.1 client as a measurement needs: one connection, one request at a time.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// A connection that stays open.
#[derive(Debug)]
pub struct Connection {
    addr: String,
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where it points to, if it does.
    pub location: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub fn open(addr: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        // Longer than any answer may take; a server that hangs must not hang the run.
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self {
            addr: addr.to_owned(),
            stream: BufReader::new(stream),
        })
    }

    /// Begins a request whose body has `length` bytes; `more` are header lines, each with its line end.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub fn begin(&mut self, method: &str, path: &str, more: &str, length: u64) -> io::Result<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{more}\r\n",
            self.addr
        );
        self.send(head.as_bytes())
    }

    /// Sends bytes of a body.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or what comes is no answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        let (mut length, mut is_chunked, mut location) = (0, false, None);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                "transfer-encoding" => is_chunked = value.eq_ignore_ascii_case("chunked"),
                "location" => location = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
                self.take(size, &mut body)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if status != 204 {
            self.take(length, &mut body)?;
        }
        Ok(Answer {
            status,
            location,
            body,
        })
    }

    /// One whole request; an answer that is none of `wanted` is an error.
    ///
    /// # Errors
    ///
    /// As [`Connection::begin`] and [`Connection::answer`].
    pub fn request(
        &mut self,
        (method, path): (&str, &str),
        more: &str,
        body: &[&[u8]],
        wanted: &[u16],
    ) -> io::Result<Answer> {
        let length = body.iter().map(|part| part.len() as u64).sum();
        self.begin(method, path, more, length)?;
        for part in body {
            self.send(part)?;
        }
        let answer = self.answer()?;
        if wanted.contains(&answer.status) {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&answer.body);
        Err(io::Error::other(format!(
            "{method} {path}: {} {text}",
            answer.status
        )))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn take(&mut self, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let found = (&mut self.stream).take(length as u64).read_to_end(into)?;
        if found == length {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
