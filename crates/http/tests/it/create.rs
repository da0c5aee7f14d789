use hoist_axum::HttpConfig;
use hoist_protocol::{CreateAnswer, CreateResponse, ErrorCode, Kind, NewFile, OnConflict};
use http::StatusCode;

use crate::support::{C, Server, creates, file, frames, post};

#[tokio::test]
async fn each_file_has_its_own_answer_in_the_order_asked() {
    for server in Server::both().await {
        server.upload(file("taken", 3), b"abc").await;
        let answers = server
            .create_all(vec![
                file("new", 2 * C),
                file("taken", 3),
                NewFile {
                    size: Some(9),
                    on_conflict: OnConflict::Ask,
                    ..file("taken", 3)
                },
                NewFile {
                    path: "../up".to_owned(),
                    ..file("x", 1)
                },
                file("empty", 0),
                NewFile {
                    kind: Kind::Directory,
                    size: None,
                    ..file("folder", 0)
                },
            ])
            .await;
        match &answers[..] {
            [
                CreateAnswer::Needed(needed),
                CreateAnswer::Present { receipt },
                CreateAnswer::Conflict { existing },
                CreateAnswer::Refused(refused),
                CreateAnswer::Present { receipt: empty },
                CreateAnswer::Present { receipt: folder },
            ] => {
                assert_eq!((needed.chunk_size, needed.received.len()), (C, 0));
                assert!(needed.expires > server.now().0);
                assert_eq!(
                    receipt.hash.unwrap().as_bytes(),
                    blake3::hash(b"abc").as_bytes()
                );
                assert_eq!(existing.id, receipt.id);
                assert_eq!(refused.code, ErrorCode::NameNotAllowed);
                assert_eq!(empty.hash.unwrap().as_bytes(), blake3::hash(b"").as_bytes());
                assert_eq!((folder.kind, folder.hash), (Kind::Directory, None));
            }
            other => panic!("{other:#?}"),
        }
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_missing_ones_have_defaults() {
    let server = Server::memory();
    let body = r#"{"sender":"s","later":[1],"files":[{"name":"a","size":1,"colour":"red"}]}"#;
    let answer = server.send(post("/uploads", body)).await;
    let response: CreateResponse = answer.json();
    assert!(matches!(response.answers[..], [CreateAnswer::Needed(_)]));
}

#[tokio::test]
async fn what_is_no_create_is_refused() {
    let config = HttpConfig {
        json_size: 100_000,
        ..HttpConfig::default()
    };
    let server = Server::with(config, hoist_store::StoreConfig::default());
    let many = serde_json::to_vec(&creates(vec![file("a", 1); 1001])).unwrap();
    let long = format!(r#"{{"sender":"s","files":[]}}{}"#, " ".repeat(100_000));
    for (body, error) in [
        ("".into(), (400, ErrorCode::InvalidRequest)),
        ("{".into(), (400, ErrorCode::InvalidRequest)),
        ("[]".into(), (400, ErrorCode::InvalidRequest)),
        (r#"{"files":[]}"#.into(), (400, ErrorCode::InvalidRequest)),
        (
            r#"{"sender":"a b","files":[]}"#.into(),
            (400, ErrorCode::InvalidRequest),
        ),
        (
            r#"{"sender":"s","files":[{"name":"a","size":-1}]}"#.into(),
            (400, ErrorCode::InvalidRequest),
        ),
        (many.into(), (413, ErrorCode::TooMany)),
        (long.clone().into(), (413, ErrorCode::TooLarge)),
        (frames(vec![long.into_bytes()]), (413, ErrorCode::TooLarge)),
    ] {
        let answer: crate::support::Answer = server.send(post("/uploads", body)).await;
        assert_eq!(answer.error(), error);
    }
    let none = server.create_all(vec![]).await;
    assert!(none.is_empty());
    assert_eq!(server.get("/uploads").await.status, StatusCode::OK);
}
