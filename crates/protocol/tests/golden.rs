//! The examples of `PROTOCOL.md` are the wire: each parses into its type and comes back the same.

use hoist_protocol::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, ErrorBody, ErrorClass, ErrorCode,
    Limits, ListResponse, PackManifest, PackResponse, StatusRequest, StatusResponse,
};
use serde::{Serialize, de::DeserializeOwned};

const PAGE: &str = include_str!("../../../PROTOCOL.md");

/// The examples of one type: what stands between ```` ```json Type ```` and the next fence.
fn examples(of: &str) -> Vec<&'static str> {
    PAGE.split("```json ")
        .skip(1)
        .filter_map(|block| block.split_once('\n'))
        .filter(|(name, _)| name.trim() == of)
        .filter_map(|(_, rest)| rest.split_once("\n```"))
        .map(|(json, _)| json)
        .collect()
}

fn stays_the_same<T: DeserializeOwned + Serialize>(name: &str) {
    let examples = examples(name);
    assert_eq!(examples.len(), 1, "PROTOCOL.md has one example of {name}");
    for json in examples {
        let value: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_string(&value).unwrap(), json, "{name}");
        // Unknown fields are ignored, at the top of every message.
        let with_more = json.replacen('{', r#"{"fromTheFuture":[1,{"a":null}],"#, 1);
        let again: T =
            serde_json::from_str(&with_more).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_string(&again).unwrap(), json, "{name}");
    }
}

#[test]
fn every_example_parses_into_its_type_and_comes_back_the_same() {
    stays_the_same::<CreateRequest>("CreateRequest");
    stays_the_same::<CreateResponse>("CreateResponse");
    stays_the_same::<PackManifest>("PackManifest");
    stays_the_same::<PackResponse>("PackResponse");
    stays_the_same::<StatusRequest>("StatusRequest");
    stays_the_same::<StatusResponse>("StatusResponse");
    stays_the_same::<ListResponse>("ListResponse");
    stays_the_same::<DeleteRequest>("DeleteRequest");
    stays_the_same::<DeleteResponse>("DeleteResponse");
    stays_the_same::<Limits>("Limits");
    stays_the_same::<ErrorBody>("ErrorBody");
    assert_eq!(
        PAGE.matches("```json ").count(),
        11,
        "and there is no other"
    );
}

#[test]
fn the_table_of_errors_is_the_one_of_the_code() {
    let rows = [
        ("refused", ErrorClass::Refused),
        ("sign in", ErrorClass::SignIn),
        ("gone", ErrorClass::Gone),
        ("resync", ErrorClass::Resync),
        ("wait", ErrorClass::Wait),
        ("full", ErrorClass::Full),
    ];
    for (word, class) in rows {
        let start = format!("| {word} |");
        let line = PAGE
            .lines()
            .find(|line| line.starts_with(&start))
            .expect("a row for each class");
        let found: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(|code| code.class() == class)
            .collect();
        for code in &found {
            assert!(
                line.contains(&format!("`{code}` {}", code.status())),
                "{code} in {line}"
            );
        }
        assert_eq!(
            line.matches('`').count() / 2,
            found.len() + usize::from(word == "wait"),
            "{line}"
        );
    }
}
