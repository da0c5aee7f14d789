use hoist_protocol::{
    DeleteRequest, DeleteResponse, DeleteResult, ErrorCode, UploadId, UploadStatus,
};
use http::{Method, StatusCode};

use crate::support::{C, Server, bytes, file, request};

async fn delete(server: &Server, path: &str, ids: &[UploadId]) -> Vec<DeleteResult> {
    let body = DeleteRequest { ids: ids.to_vec() };
    let answer = server.post(path, &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json::<DeleteResponse>().results
}

#[tokio::test]
async fn cancelling_is_idempotent_and_does_not_tell_whose_it_was() {
    for server in Server::both().await {
        let id = server.create("a", 2 * C).await.id;
        let never = UploadId::from_bytes([9; 16]);
        for _ in 0..2 {
            let results = delete(&server, "/uploads/delete", &[id, never]).await;
            assert_eq!(results, [DeleteResult::Deleted, DeleteResult::Deleted]);
        }
        assert!(matches!(server.status(id).await, UploadStatus::Gone(_)));
        let one = server
            .send(request(Method::DELETE, &format!("/uploads/{id}"), ""))
            .await;
        assert_eq!(
            one.json::<DeleteResponse>().results,
            [DeleteResult::Deleted]
        );
    }
}

#[tokio::test]
async fn a_finished_file_is_hidden_and_can_be_restored_for_a_while() {
    for server in Server::both().await {
        let receipt = server.upload(file("a", C + 1), &bytes(C + 1)).await;
        let path = format!("/files/{}/a", receipt.id);
        let results = delete(&server, "/uploads/delete", &[receipt.id]).await;
        let [DeleteResult::Deleting { until }] = results[..] else {
            panic!("{results:?}")
        };
        assert!(until > server.now().0);
        assert_eq!(server.get(&path).await.error(), (404, ErrorCode::NotFound));
        let results = delete(&server, "/uploads/restore", &[receipt.id]).await;
        assert_eq!(
            results,
            [DeleteResult::Restored {
                receipt: receipt.clone()
            }]
        );
        assert_eq!(server.get(&path).await.body, bytes(C + 1));

        let one = request(Method::DELETE, &format!("/uploads/{}", receipt.id), "");
        server.send(one).await;
        server.pass(60_000);
        server.store.sweep(server.now()).await.unwrap();
        let results = delete(&server, "/uploads/restore", &[receipt.id]).await;
        assert!(
            !matches!(results[..], [DeleteResult::Restored { .. }]),
            "{results:?}"
        );
    }
}

#[tokio::test]
async fn too_many_ids_and_no_ids_are_told_apart() {
    let server = Server::memory();
    let many = DeleteRequest {
        ids: vec![UploadId::from_bytes([9; 16]); 1001],
    };
    for path in ["/uploads/delete", "/uploads/restore"] {
        assert_eq!(
            server.post(path, &many).await.error(),
            (413, ErrorCode::TooMany)
        );
        assert_eq!(
            server.post(path, &["x"]).await.error(),
            (400, ErrorCode::InvalidRequest)
        );
    }
}
