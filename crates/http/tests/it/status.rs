use hoist_protocol::{
    ByteRange, ChecksumsFrom, ChunkLayout, ErrorCode, StatusRequest, StatusResponse, UploadId,
    UploadStatus,
};

use crate::support::{C, Server, bytes, chunk, file};

#[tokio::test]
async fn it_tells_what_has_arrived_and_proves_it() {
    for server in Server::both().await {
        let content = bytes(5 * C + 9);
        let layout = ChunkLayout::new(content.len() as u64, C).unwrap();
        let id = server.create("a", content.len() as u64).await.id;
        let [a, b, d] = [0, 1, 5].map(|index| chunk(id, layout, index, &content));
        server.pack(&[d.clone(), a.clone(), b.clone()]).await;
        let done = server.upload(file("b", 3), b"abc").await;
        let unknown = UploadId::from_bytes([9; 16]);
        let request = StatusRequest {
            ids: vec![unknown, id, done.id],
            checksums: Some(ChecksumsFrom { from: 1, count: 9 }),
        };
        let answer: StatusResponse = server.post("/uploads/status", &request).await.json();
        match &answer.uploads[..] {
            [
                UploadStatus::Gone(gone),
                UploadStatus::Unfinished(upload),
                UploadStatus::Finished { receipt },
            ] => {
                assert_eq!((gone.id, gone.error.code), (unknown, ErrorCode::NotFound));
                assert_eq!(
                    upload.received,
                    [ByteRange::new(0, 2 * C), ByteRange::new(5 * C, 5 * C + 9)]
                );
                let runs: Vec<_> = upload
                    .checksums
                    .iter()
                    .map(|run| (run.from, run.values.clone()))
                    .collect();
                assert_eq!(
                    runs,
                    [
                        (1, vec![b.0.checksum.unwrap()]),
                        (5, vec![d.0.checksum.unwrap()])
                    ]
                );
                assert_eq!(*receipt, done);
            }
            other => panic!("{other:#?}"),
        }
    }
}

#[tokio::test]
async fn too_many_ids_are_refused() {
    let server = Server::memory();
    let request = StatusRequest {
        ids: vec![UploadId::from_bytes([9; 16]); 1001],
        checksums: None,
    };
    let answer = server.post("/uploads/status", &request).await;
    assert_eq!(answer.error(), (413, ErrorCode::TooMany));
}
