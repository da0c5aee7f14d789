//! A connection's place, which an upgrade takes along.

use tokio::sync::watch;

/// Held by a connection, whoever has it, and by what must end when the server closes it.
#[derive(Clone, Debug)]
pub(crate) struct Seat(watch::Receiver<()>);

/// The other side of all seats of one connection; dropping it closes what sits there.
#[derive(Debug)]
pub(crate) struct Place(watch::Sender<()>);

impl Seat {
    pub(crate) fn new() -> (Place, Self) {
        let (place, seat) = watch::channel(());
        (Place(place), Self(seat))
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn gone(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Place {
    /// Waits until nobody sits there any more.
    pub(crate) async fn free(&self) {
        self.0.closed().await;
    }
}
