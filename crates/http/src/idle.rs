//! A connection on which nothing moves ends.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Fails with `TimedOut` when somebody waits and no byte went either way for so long.
///
/// This is what ends a client that has vanished without a word, also in the middle of a download,
/// and one that never begins to speak, which is given less time: hyper does not look at the clock before
/// the first byte. Each byte only notes the time; the timer is set anew when it
/// goes off.
#[derive(Debug)]
pub(crate) struct Idle<S> {
    inner: S,
    /// After what silence it ends: now, and once something has moved.
    after: Duration,
    later: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Idle<S> {
    pub(crate) fn new(inner: S, first: Duration, later: Duration) -> Self {
        let last = Instant::now();
        Self {
            inner,
            after: first,
            later,
            last,
            timer: Box::pin(sleep_until(last + first)),
        }
    }

    /// Takes note of what became of one operation, and fails it if it waits for too long.
    fn note<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.last = Instant::now();
            self.after = self.later;
            return poll;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let end = self.last + self.after;
            if Instant::now() >= end {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.note(cx, poll)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_byte_in_time_keeps_it_and_silence_ends_it() {
        let (mut far, near) = tokio::io::duplex(64);
        let ten = Duration::from_secs(10);
        let mut near = Idle::new(near, ten, ten);
        let began = Instant::now();
        let dripping = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                far.write_all(b"x").await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        for _ in 0..5 {
            near.read_u8().await.unwrap();
        }
        let end = near.read_u8().await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 5 * 9 + 10);
        dripping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_speaks_has_less_time_than_who_has_spoken() {
        let (first, later) = (Duration::from_secs(3), Duration::from_secs(10));
        for speaks in [false, true] {
            let (mut far, near) = tokio::io::duplex(64);
            let mut near = Idle::new(near, first, later);
            let began = Instant::now();
            if speaks {
                far.write_all(b"x").await.unwrap();
                near.read_u8().await.unwrap();
            }
            near.read_u8().await.unwrap_err();
            let seconds = if speaks { 10 } else { 3 };
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
    }
}
