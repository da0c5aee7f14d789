//! What is said over a WebSocket beside the bytes of packs (PROTOCOL.md, "Send, many packs on one connection").

use serde::{Deserialize, Serialize};

/// The page begins a pack; its bytes follow in binary messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketPack {
    /// Bytes of the whole pack, as `Content-Length` would say.
    pub length: u64,
}

/// The server has taken so much of the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketTaken {
    /// Bytes from the beginning of the pack.
    pub taken: u64,
}

/// The server answers a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketAnswer {
    /// The status that a request would have had.
    pub status: u16,
    /// The body of that answer: JSON, as a text.
    pub body: String,
    /// Whether no further pack may begin on this socket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}
