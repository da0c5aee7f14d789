use std::fmt::Debug;

use hoist_protocol::*;
use serde::{Serialize, de::DeserializeOwned};

use super::*;

/// Read as `serde_json` reads it.
fn agree<T: DeserializeOwned + PartialEq + Debug>(text: &str) {
    let expected = serde_json::from_str::<T>(text).map_err(|_| Malformed);
    assert_eq!(from_slice::<T>(text.as_bytes()), expected, "{text}");
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(
        from_slice::<T>(text.as_bytes()).as_ref(),
        Ok(value),
        "{text}"
    );
    let spaced = serde_json::to_string_pretty(value).unwrap();
    assert_eq!(
        from_slice::<T>(spaced.as_bytes()).as_ref(),
        Ok(value),
        "{spaced}"
    );
    // Torn anywhere it is malformed, and never a panic.
    for end in 0..text.len() {
        let torn = text.as_bytes().get(..end).unwrap();
        assert_eq!(
            from_slice::<T>(torn),
            Err(Malformed),
            "{text} torn at {end}"
        );
    }
}

fn receipt() -> Receipt {
    Receipt {
        id: UploadId::from_bytes([7; 16]),
        name: "a \"quoted\" \\ name\n\u{1f600} é \u{1}.txt".to_owned(),
        path: "صور".to_owned(),
        kind: Kind::Directory,
        size: u64::MAX,
        hash: Some(Checksum::from_bytes([9; 32])),
        last_modified: Some(-5),
        media_type: None,
        stored_as: String::new(),
        finished: 0,
    }
}

fn unfinished() -> Unfinished {
    Unfinished {
        id: UploadId::from_bytes([1; 16]),
        name: "a".to_owned(),
        path: String::new(),
        size: None,
        last_modified: None,
        media_type: Some("x/y".to_owned()),
        chunk_size: 1 << 20,
        received: vec![ByteRange::new(0, 5), ByteRange::new(9, 10)],
        expires: 3,
        checksums: vec![ChecksumRun {
            from: 4,
            values: vec![Checksum::from_bytes([2; 32])],
        }],
    }
}

fn refusal() -> ErrorBody {
    ErrorBody {
        code: ErrorCode::RateLimited,
        message: "slow".to_owned(),
        retry_after_ms: Some(1),
    }
}

#[test]
fn every_answer_of_the_protocol_comes_back_as_it_was() {
    comes_back(&CreateResponse {
        answers: vec![
            CreateAnswer::Needed(Needed {
                id: UploadId::from_bytes([1; 16]),
                chunk_size: 65_536,
                received: vec![ByteRange::new(0, 1)],
                expires: 4,
            }),
            CreateAnswer::Present { receipt: receipt() },
            CreateAnswer::Conflict {
                existing: receipt(),
            },
            CreateAnswer::Refused(refusal()),
        ],
    });
    comes_back(&StatusResponse {
        uploads: vec![
            UploadStatus::Unfinished(unfinished()),
            UploadStatus::Finished { receipt: receipt() },
            UploadStatus::Gone(GoneUpload {
                id: UploadId::from_bytes([3; 16]),
                error: refusal(),
            }),
        ],
    });
    comes_back(&PackResponse {
        results: vec![ChunkResult::Acknowledged, ChunkResult::Refused(refusal())],
        receipts: vec![receipt()],
    });
    comes_back(&DeleteResponse {
        results: vec![
            DeleteResult::Deleted,
            DeleteResult::Deleting { until: 5 },
            DeleteResult::Restored { receipt: receipt() },
            DeleteResult::Refused(refusal()),
        ],
    });
    comes_back(&ListResponse {
        uploads: vec![UploadStatus::Unfinished(unfinished())],
        next: Some("x".to_owned()),
        counts: ListCounts {
            unfinished: 1,
            finished: 2,
            finished_bytes: 3,
        },
    });
    comes_back(&Limits {
        types: vec![".pdf".to_owned()],
        quota_left: Some(0),
        ..Limits::default()
    });
    comes_back(&refusal());
}

#[test]
fn what_nobody_asked_for_is_passed_over() {
    let text = r#"{"x": [1, {"a": null, "b": [true, -1.5e9, "\u0041"]}, []], "code": "internal", "message": "m", "y": {}}"#;
    let body: ErrorBody = from_slice(text.as_bytes()).unwrap();
    assert_eq!(
        (body.code, body.message.as_str()),
        (ErrorCode::Internal, "m")
    );
}

#[test]
fn what_serde_json_refuses_is_refused_here() {
    for text in [
        "",
        " ",
        "[",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "]",
        "nul",
        "1",
        "{}",
        "[\"a\"]",
        "[1]x",
        "[1]]",
        "[-1]",
        "[1.5]",
        "[18446744073709551616]",
        "[null]",
        "[1,2,3]",
        "[ 1 ,\n2 ]",
        "[0]",
        "[\u{7}1]",
    ] {
        agree::<Vec<u64>>(text);
    }
    for text in [
        r#""""#,
        r#""a"#,
        r#""\"""#,
        r#""\x""#,
        r#""\u00e9""#,
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\u12""#,
        "\"a\u{1}b\"",
        r#""a" "#,
        r#"'a'"#,
        r#""\/\b\f\n\r\t""#,
        "\"é😀\"",
    ] {
        agree::<String>(text);
    }
    for text in ["true", "false", "tru", "null", "1", "\"true\""] {
        agree::<bool>(text);
        agree::<Option<bool>>(text);
    }
    for text in [
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "--1",
        "1e3",
    ] {
        agree::<Option<i64>>(text);
    }
    for text in [
        r#""keep_both""#,
        r#""other""#,
        "3",
        r#"{"keep_both":null}"#,
        r#"{"ask":null,"x":1}"#,
    ] {
        agree::<OnConflict>(text);
    }
    for text in [
        r#"{"code":"internal"}"#,
        r#"{"code":"nonsense","message":""}"#,
        r#"{"code":"internal","message":"","message":""}"#,
        r#"{"code":"internal" "message":""}"#,
        r#"{"code":"internal","message":"",}"#,
        r#"{code:"internal","message":""}"#,
        r#"[]"#,
    ] {
        agree::<ErrorBody>(text);
    }
    assert_eq!(from_slice::<String>(b"\"\xff\""), Err(Malformed));
}

#[test]
fn a_hostile_depth_is_refused_and_not_descended() {
    let text = format!(
        "{{\"code\":\"internal\",\"message\":\"m\",\"x\":{}",
        "[".repeat(100_000)
    );
    assert_eq!(from_slice::<ErrorBody>(text.as_bytes()), Err(Malformed));
}
