use hoist_protocol::{ErrorCode, ListResponse};
use http::Request;

use crate::support::{Server, bytes, file, post};

fn sending(body: &str, headers: &[(&'static str, &str)]) -> Request<axum::body::Body> {
    let mut request = post("/form/delete", body.to_owned());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn count(server: &Server) -> usize {
    server
        .get("/uploads")
        .await
        .json::<ListResponse>()
        .uploads
        .len()
}

#[tokio::test]
async fn a_button_of_a_page_without_javascript_deletes_its_file_and_no_other() {
    for server in Server::both().await {
        let one = server.upload(file("一.txt", 5), &bytes(5)).await;
        server.upload(file("b", 5), &bytes(5)).await;
        let html = [
            ("accept", "text/html"),
            (
                "referer",
                "http://hoist.example/page?after=x&hoist-error=internal",
            ),
        ];
        let body = format!("id={}", one.id);
        let foreign = [("origin", "http://evil.example"), html[0]];
        let answer = server.send(sending(&body, &foreign)).await;
        assert_eq!(answer.error(), (403, ErrorCode::Forbidden));
        assert_eq!(count(&server).await, 2);

        let answer = server.send(sending(&body, &html)).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), Some("/page?after=x"));
        assert_eq!(count(&server).await, 1);
        let left = server.get("/uploads").await.json::<ListResponse>();
        let left = serde_json::to_string(&left.uploads).unwrap();
        assert!(left.contains("\"b\"") && !left.contains("一"), "{left}");
    }
}

#[tokio::test]
async fn what_is_no_file_of_theirs_is_told_in_the_page_and_to_programs() {
    let server = Server::memory();
    server.upload(file("a", 5), &bytes(5)).await;
    for body in ["id=nonsense", "id="] {
        let answer = server.send(sending(body, &[])).await;
        assert_eq!(answer.error(), (404, ErrorCode::NotFound), "{body}");
        let answer = server.send(sending(body, &[("accept", "text/html")])).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), Some("/?hoist-error=not_found"));
    }
    let long = format!("id={}", "0".repeat(100_000));
    let answer = server.send(sending(&long, &[])).await;
    assert_eq!(answer.error(), (413, ErrorCode::TooLarge));
    assert_eq!(count(&server).await, 1);
}
