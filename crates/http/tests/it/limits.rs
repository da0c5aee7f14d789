use hoist_axum::{Access, ApiError, Authorize, Authorizer, HttpConfig};
use hoist_protocol::Limits;
use hoist_store::{Owner, Party, StoreConfig};
use http::{Method, StatusCode};

use crate::support::{Server, file, request};

#[tokio::test]
async fn it_says_what_the_store_allows() {
    let limits = Limits {
        file_size: 12345,
        types: vec!["image/*".to_owned()],
        ..Limits::default()
    };
    let server = Server::with(
        HttpConfig::default(),
        StoreConfig {
            limits: limits.clone(),
            ..StoreConfig::default()
        },
    );
    let answer = server.get("/limits").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json::<Limits>(), limits);
}

#[tokio::test]
async fn it_says_what_is_left_of_a_quota() {
    struct Quota;
    impl Authorize for Quota {
        async fn authorize(&self, _: &http::request::Parts) -> Result<Access, ApiError> {
            Ok(Access::full(Party {
                quota: Some(1000),
                ..Party::known(Owner::shared())
            }))
        }
    }
    let config = HttpConfig {
        authorize: Authorizer::new(Quota),
        ..HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    server.upload(file("a", 300), &[7; 300]).await;
    let limits: Limits = server.get("/limits").await.json();
    assert_eq!(limits.quota_left, Some(700));
}

#[tokio::test]
async fn unknown_addresses_and_wrong_methods_are_answered_in_json() {
    let server = Server::memory();
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/files/x", 404),
        (Method::GET, "/files/not-an-id/a", 404),
        (Method::GET, "/files/%FF/a", 404),
        (Method::DELETE, "/uploads/not-an-id", 404),
        (Method::PUT, "/uploads", 405),
        (Method::GET, "/packs", 405),
        (Method::DELETE, "/limits", 405),
        (Method::GET, "/uploads/status", 405),
    ] {
        let answer = server.send(request(method.clone(), path, "")).await;
        let (found, code) = answer.error();
        assert_eq!(found, status, "{method} {path} {code}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{method} {path}");
        }
    }
}
