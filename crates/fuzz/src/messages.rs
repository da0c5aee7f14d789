//! The messages, in both directions.

use std::fmt::Debug;

use hoist_leptos::json;
use hoist_protocol::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, ErrorBody, Limits, ListResponse,
    PackManifest, PackResponse, RevokeRequest, StatusRequest, StatusResponse, TokenRequest,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, to_value};

/// What is read, written and read again is the same; nothing is lost that was understood.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&read).unwrap();
    let again: T = serde_json::from_slice(&written).unwrap();
    assert_eq!(read, again);
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
    // What is no value at all is read only where nobody looks: in a field that is not ours.
    if let Ok(input) = serde_json::from_slice::<Value>(data) {
        let understood = to_value(&read).unwrap();
        assert!(
            says(&input, &understood),
            "{input} was read as {understood}"
        );
    }
    Some(read)
}

/// Whether all that was understood stands in what was read.
fn says(input: &Value, understood: &Value) -> bool {
    match (input, understood) {
        (Value::Object(input), Value::Object(understood)) => {
            understood.iter().all(|(name, value)| {
                let said = input.get(name).filter(|said| !said.is_null());
                said.map_or_else(|| is_default(name, value), |said| says(said, value))
            })
        }
        (Value::Array(input), Value::Array(understood)) if input.len() == understood.len() => {
            let is_range = understood.len() == 2 && understood.iter().all(Value::is_u64);
            if is_range {
                // A range that ends before it begins is an empty one.
                let end = input[1].as_u64().max(input[0].as_u64());
                return input[0] == understood[0] && end == understood[1].as_u64();
            }
            input.iter().zip(understood).all(|(a, b)| says(a, b))
        }
        // As serde has it, fields may stand in a list, and a word be the name of a field.
        (Value::Array(_), Value::Object(_)) => true,
        (Value::Object(input), Value::String(word)) => input.len() == 1 && input.contains_key(word),
        _ => input == understood,
    }
}

/// Whether a field has this value if it is not there.
fn is_default(name: &str, value: &Value) -> bool {
    let limits = to_value(Limits::default()).unwrap();
    limits.get(name) == Some(value)
        || matches!(
            (name, value.as_str()),
            ("kind", Some("file")) | ("onConflict", Some("keep_both"))
        )
}

pub(crate) fn messages(data: &[u8]) {
    round_trip::<CreateRequest>(data);
    round_trip::<PackManifest>(data);
    round_trip::<StatusRequest>(data);
    round_trip::<DeleteRequest>(data);
    round_trip::<TokenRequest>(data);
    round_trip::<RevokeRequest>(data);
}

/// The same, and the page's own reader reads what `serde_json` writes and what it reads, as the same. It
/// may take what is not strictly JSON, and be stricter about what no server of ours writes.
fn answer<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let theirs = round_trip::<T>(data);
    let ours = json::from_slice::<T>(data).ok();
    if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
        assert_eq!(ours, theirs);
    }
    // A server of ours writes no fields as a list, no word as a field, and no value 60 deep.
    if let (Some(theirs), Ok(value)) = (&theirs, serde_json::from_slice::<Value>(data))
        && depth(&value) < 60
        && is_alike(&value, &to_value(theirs).unwrap())
    {
        assert_eq!(ours.as_ref(), Some(theirs));
    }
    for read in ours.iter().chain(&theirs) {
        for written in [
            serde_json::to_string(read),
            serde_json::to_string_pretty(read),
        ] {
            let written = written.unwrap();
            let written = written.as_bytes();
            assert_eq!(json::from_slice::<T>(written).as_ref(), Ok(read));
            // Torn somewhere, or with something behind it, it is none.
            let end = data.len() * 31 % written.len();
            assert!(json::from_slice::<T>(&written[..end]).is_err());
            assert!(json::from_slice::<T>(&[written, b","].concat()).is_err());
        }
    }
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
        (Value::Array(read), Value::Array(written)) => read
            .iter()
            .zip(written)
            .all(|(read, written)| is_alike(read, written)),
        (Value::Object(_) | Value::Array(_), _) => false,
        (_, Value::Object(_) | Value::Array(_)) => false,
        _ => true,
    }
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
