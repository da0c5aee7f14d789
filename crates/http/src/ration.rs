//! The more connections there are, the less each reads at a time.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

use crate::seat::Seat;

/// Most bytes that one of so many connections reads in one go: few trips for a large file, 64 connections
/// fit into the cache, and a thousand hold little. Some room above round numbers: somebody may only ask.
pub(crate) const fn ration(connections: usize) -> usize {
    match connections {
        0..6 => 1 << 20,
        6..12 => 256 << 10,
        12..96 => 128 << 10,
        96..257 => 16 << 10,
        _ => 8 << 10,
    }
}

/// Reads what is right for the number of connections at that time. hyper doubles its buffer when a read
/// has filled it, and halves it when two in turn have not filled half: reads that are one byte short keep it
/// at what is right, and bring it back to that.
#[derive(Debug)]
pub(crate) struct Rationed<S> {
    inner: Take<S>,
    /// Each connection has one.
    all: Arc<()>,
    /// Its place, wherever it goes: an upgrade takes it along.
    _seat: Seat,
}

impl<S: AsyncRead> Rationed<S> {
    pub(crate) fn new(inner: S, all: Arc<()>, seat: Seat) -> Self {
        Self {
            inner: inner.take(0),
            all,
            _seat: seat,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rationed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // One more is held by whoever accepts.
        let connections = Arc::strong_count(&self.all) - 1;
        self.inner.set_limit(ration(connections) as u64 - 1);
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Rationed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.inner.get_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.inner.get_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_reads_less_as_others_come_and_more_when_they_are_gone() {
        let all = Arc::new(());
        let mut one = Rationed::new(tokio::io::repeat(1), Arc::clone(&all), Seat::new().1);
        let mut buffer = vec![0; 2 << 20];
        assert_eq!(one.read(&mut buffer).await.unwrap(), (1 << 20) - 1);
        let others = vec![Arc::clone(&all); 300];
        assert_eq!(one.read(&mut buffer).await.unwrap(), (8 << 10) - 1);
        drop(others);
        assert_eq!(one.read(&mut buffer).await.unwrap(), (1 << 20) - 1);
    }
}
