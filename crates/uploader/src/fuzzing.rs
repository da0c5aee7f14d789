//! What must hold of the reader of JSON, whatever bytes come; for `cargo fuzz` and for the corpus in
//! `fuzz/corpus`, which the tests replay.
//!
//! Each function panics if something does not hold, and says whether its parser took the bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a property that panics has failed"
)]

use std::fmt::Debug;

use hoist_protocol::{
    CreateResponse, DeleteResponse, ErrorBody, Limits, ListResponse, PackResponse, StatusResponse,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::json;

/// An answer, whose first byte says which: what `serde_json` writes is read, what it reads is read
/// alike, and nothing is read that a torn answer could be.
pub(crate) fn answers(bytes: &[u8]) -> bool {
    let Some((kind, text)) = bytes.split_first() else {
        return false;
    };
    match kind {
        b'a' => agree::<CreateResponse>(text),
        b'b' => agree::<PackResponse>(text),
        b'c' => agree::<StatusResponse>(text),
        b'd' => agree::<ListResponse>(text),
        b'e' => agree::<DeleteResponse>(text),
        b'f' => agree::<Limits>(text),
        b'g' => agree::<ErrorBody>(text),
        _ => false,
    }
}

fn agree<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &[u8]) -> bool {
    let ours = json::from_slice::<T>(text);
    let theirs = serde_json::from_slice::<T>(text);
    if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
        assert_eq!(ours, theirs);
    }
    // A server of ours writes no fields as a list, no word as a field, and no value 60 deep.
    if let (Ok(theirs), Ok(value)) = (&theirs, serde_json::from_slice::<Value>(text)) {
        let written = serde_json::to_value(theirs).unwrap();
        if depth(&value) < 60 && is_alike(&value, &written) {
            assert_eq!(ours.as_ref(), Ok(theirs));
        }
    }
    let Ok(ours) = ours else { return false };
    for written in [serde_json::to_string(&ours), serde_json::to_string_pretty(&ours)] {
        let written = written.unwrap();
        let written = written.as_bytes();
        assert_eq!(json::from_slice::<T>(written).as_ref(), Ok(&ours));
        // Torn somewhere, or with something behind it, it is none.
        let end = text.len() * 31 % written.len();
        assert!(json::from_slice::<T>(&written[..end]).is_err());
        assert!(json::from_slice::<T>(&[written, b","].concat()).is_err());
    }
    true
}

fn depth(value: &Value) -> usize {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return 0,
    };
    inner.into_iter().map(depth).max().unwrap_or_default() + 1
}

/// Whether each field that is written was of the same kind when it was read.
fn is_alike(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => written.iter().all(|(name, written)| {
            let read = read.get(name);
            read.is_none_or(|read| is_alike(read, written))
        }),
        (Value::Array(read), Value::Array(written)) => {
            read.iter().zip(written).all(|(read, written)| is_alike(read, written))
        }
        (Value::Object(_) | Value::Array(_), _) => false,
        (_, Value::Object(_) | Value::Array(_)) => false,
        _ => true,
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
#[cfg(test)]
fn what_the_fuzzer_found_and_was_given_holds() {
    replay::replay("hoist-leptos", &[("answers", answers)]);
}
