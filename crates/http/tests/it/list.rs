use hoist_axum::{Access, listing};
use hoist_protocol::{ErrorCode, ListResponse, UploadStatus};
use hoist_store::{Owner, Party};

use crate::support::{Server, file};

fn name(row: &UploadStatus) -> &str {
    match row {
        UploadStatus::Unfinished(upload) => &upload.name,
        UploadStatus::Finished { receipt } => &receipt.name,
        other @ UploadStatus::Gone(_) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pages_follow_each_other_until_all_rows_were_there_once() {
    for server in Server::both().await {
        for n in 0..7 {
            server.pass(1000);
            server.create(&format!("unfinished {n}"), 5).await;
            server
                .upload(file(&format!("finished {n}"), 3), b"abc")
                .await;
        }
        let mut names = Vec::new();
        let mut path = "/uploads?limit=4".to_owned();
        loop {
            let page: ListResponse = server.get(&path).await.json();
            assert_eq!((page.counts.unfinished, page.counts.finished), (7, 7));
            assert_eq!(page.counts.finished_bytes, 21);
            assert!(page.uploads.len() <= 4);
            names.extend(page.uploads.iter().map(|row| name(row).to_owned()));
            match page.next {
                Some(next) => path = format!("/uploads?limit=4&after={next}"),
                None => break,
            }
        }
        let expected: Vec<_> = ["unfinished", "finished"]
            .iter()
            .flat_map(|kind| (0..7).rev().map(move |n| format!("{kind} {n}")))
            .collect();
        assert_eq!(names, expected);

        // A page that is rendered with the first rows gets the same ones.
        let access = Access::full(Party::known(Owner::shared()));
        let first = listing(&server.store, &access, 4, server.now())
            .await
            .unwrap();
        assert_eq!(
            first.uploads.iter().map(name).collect::<Vec<_>>(),
            &expected[..4]
        );
        let nobody = Access::anonymous();
        let nothing = listing(&server.store, &nobody, 4, server.now()).await;
        assert_eq!(nothing.unwrap(), ListResponse::default());
    }
}

#[tokio::test]
async fn a_query_that_is_none_is_refused() {
    let server = Server::memory();
    for query in ["limit=x", "limit=-1", "limit=99999999999", "after=nonsense"] {
        let answer = server.get(&format!("/uploads?{query}")).await;
        assert_eq!(answer.error(), (400, ErrorCode::InvalidRequest), "{query}");
    }
}
