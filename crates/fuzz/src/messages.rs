//! The messages, in both directions.

use std::fmt::Debug;

use hoist_leptos::json;
use hoist_protocol::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, ErrorBody, Limits, ListResponse,
    PackManifest, PackResponse, RevokeRequest, StatusRequest, StatusResponse, TokenRequest,
};
use serde::{Serialize, de::DeserializeOwned};

/// What is read, written and read again is the same; nothing is lost that was understood.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&read).unwrap();
    let again: T = serde_json::from_slice(&written).unwrap();
    assert_eq!(read, again);
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
    Some(read)
}

pub(crate) fn messages(data: &[u8]) {
    round_trip::<CreateRequest>(data);
    round_trip::<PackManifest>(data);
    round_trip::<StatusRequest>(data);
    round_trip::<DeleteRequest>(data);
    round_trip::<TokenRequest>(data);
    round_trip::<RevokeRequest>(data);
}

/// The same, and the page's own reader reads what `serde_json` writes, as the same. It may take what
/// is not strictly JSON, and be stricter about what no server of ours writes.
fn answer<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    if let Some(read) = round_trip::<T>(data) {
        let written = serde_json::to_vec(&read).unwrap();
        let ours: T = json::from_slice(&written).expect("the page reads it");
        assert_eq!(ours, read);
    }
    // Whatever comes, it comes back.
    let _ = json::from_slice::<T>(data);
}

pub(crate) fn answers(data: &[u8]) {
    answer::<CreateResponse>(data);
    answer::<PackResponse>(data);
    answer::<StatusResponse>(data);
    answer::<ListResponse>(data);
    answer::<DeleteResponse>(data);
    answer::<ErrorBody>(data);
    answer::<Limits>(data);
}
