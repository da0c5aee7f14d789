//! A line's length for kernels without netem: passes connections on, and each byte so many milliseconds later.
//! `delay host:port-to-listen-on host:port-beyond milliseconds-each-way most-bytes-under-way`.
//!
//! It has no rate of its own; what it passes on to has. No more bytes are under way in one direction of a
//! connection than the last argument says, those included that the other side does not take yet: a buffer
//! without a bound would take a whole file at once, and a page would believe it sent.

use std::{
    collections::VecDeque,
    env,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    str::FromStr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Bytes that travel together.
const PIECE: usize = 256 << 10;

fn main() -> io::Result<()> {
    let (listen, beyond): (String, String) = (argument(1)?, argument(2)?);
    let delay = Duration::from_millis(argument(3)?);
    let most: usize = argument(4)?;
    for near in TcpListener::bind(listen)?.incoming() {
        let (near, beyond) = (near?, beyond.clone());
        // A connection that breaks ends its threads, and nothing else.
        thread::spawn(move || drop(connect(&near, &beyond, delay, most)));
    }
    Ok(())
}

fn argument<T: FromStr>(number: usize) -> io::Result<T> {
    let given = env::args().nth(number).and_then(|text| text.parse().ok());
    given.ok_or_else(|| io::Error::other("delay LISTEN BEYOND MILLISECONDS BYTES"))
}

fn connect(near: &TcpStream, beyond: &str, delay: Duration, most: usize) -> io::Result<()> {
    let far = TcpStream::connect(beyond)?;
    for stream in [near, &far] {
        stream.set_nodelay(true)?;
    }
    // Over a line of this length the greeting of TCP takes there and back; here it took nothing.
    let greeted = now() + delay * 2;
    for (from, to) in [(near, &far), (&far, near)] {
        let pipe = Arc::new(Pipe::default());
        let (taking, mut from, mut to) = (Arc::clone(&pipe), from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let taken = take(&taking, &mut from, greeted, delay, most);
            taking.put((now() + delay, Vec::new()));
            taken
        });
        thread::spawn(move || {
            let given = give(&pipe, &mut to);
            // Whoever still takes must not wait for room.
            pipe.close();
            drop(to.shutdown(Shutdown::Write));
            given
        });
    }
    Ok(())
}

fn take(
    pipe: &Pipe,
    from: &mut TcpStream,
    greeted: Instant,
    delay: Duration,
    most: usize,
) -> io::Result<()> {
    loop {
        let mut piece = vec![0; PIECE];
        let found = from.read(&mut piece)?;
        if found == 0 || !pipe.wait_for_room(most) {
            return Ok(());
        }
        piece.truncate(found);
        pipe.put((now().max(greeted) + delay, piece));
    }
}

fn give(pipe: &Pipe, to: &mut TcpStream) -> io::Result<()> {
    loop {
        let (due, piece) = pipe.next();
        thread::sleep(due.saturating_duration_since(now()));
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(&piece)?;
        pipe.gave(piece.len());
    }
}

/// When a piece is due, and its bytes; none at the end.
type Piece = (Instant, Vec<u8>);

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// Bytes that are not passed on yet.
    held: usize,
    is_closed: bool,
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, piece: Piece) {
        let mut state = self.state();
        state.held += piece.1.len();
        state.pieces.push_back(piece);
        self.changed.notify_all();
    }

    /// `false` if nobody passes anything on any more.
    fn wait_for_room(&self, most: usize) -> bool {
        let full = |state: &mut State| state.held >= most && !state.is_closed;
        let state = self.changed.wait_while(self.state(), full);
        !state.unwrap_or_else(PoisonError::into_inner).is_closed
    }

    fn next(&self) -> Piece {
        let empty = |state: &mut State| state.pieces.is_empty();
        let state = self.changed.wait_while(self.state(), empty);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.pieces.pop_front().unwrap_or((now(), Vec::new()))
    }

    fn gave(&self, bytes: usize) {
        self.state().held -= bytes;
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}

#[expect(clippy::disallowed_methods, reason = "it makes time pass, natively")]
fn now() -> Instant {
    Instant::now()
}
