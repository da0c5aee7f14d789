//! Tokens for one upload each.

use hoist_protocol::{ByteRange, DeleteResult, UploadStatus};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, file},
};
use crate::{Grant, ListQuery, StoreError, Token};

fn grant() -> Grant {
    Grant {
        send: true,
        read: false,
        delete: true,
        bytes: Some(7),
        expires: NOW.plus(1000),
    }
}

conformance! {
    async fn a_token_is_for_one_upload_until_it_expires_or_is_revoked(bench: Bench) {
        let (store, party) = (&bench.store, &bench.party);
        let one = bench.needed(file("one", 9)).await.id;
        let two = bench.needed(file("two", 9)).await.id;
        let token = store.issue_token(NOW, party, one, grant()).await.unwrap();
        let other = store.issue_token(NOW, party, one, Grant { bytes: None, ..grant() }).await.unwrap();
        let third = store.issue_token(NOW, party, two, grant()).await.unwrap();
        assert!(token != other && other != third);
        let bearer = store.bearer(NOW.plus(999), &token).await.unwrap().unwrap();
        assert_eq!((bearer.upload, bearer.grant, &bearer.party.owner), (one, grant(), &party.owner));
        assert!(!bearer.party.finds_earlier);
        assert_eq!(store.bearer(NOW.plus(1000), &token).await.unwrap(), None);
        // One is revoked, the others stay.
        assert_eq!(store.revoke_tokens(party, two, Some(&token)).await.unwrap(), 0, "it is not that upload's");
        assert_eq!(store.revoke_tokens(party, one, Some(&token)).await.unwrap(), 1);
        assert_eq!(store.revoke_tokens(party, one, Some(&token)).await.unwrap(), 0);
        assert_eq!(store.bearer(NOW, &token).await.unwrap(), None);
        assert_eq!(store.bearer(NOW, &other).await.unwrap().unwrap().grant.bytes, None);
        assert_eq!(store.revoke_tokens(party, one, None).await.unwrap(), 1);
        assert_eq!(store.bearer(NOW, &other).await.unwrap(), None);
        assert!(store.bearer(NOW, &third).await.unwrap().is_some());
    }

    async fn nobody_makes_or_revokes_tokens_of_what_is_not_theirs(bench: Bench) {
        let id = bench.needed(file("one", 9)).await.id;
        let token = bench.store.issue_token(NOW, &bench.party, id, grant()).await.unwrap();
        let other = bench.other("v-2").party;
        let made = bench.store.issue_token(NOW, &other, id, grant()).await;
        assert!(matches!(made, Err(StoreError::NotFound)));
        let revoked = bench.store.revoke_tokens(&other, id, None).await;
        assert!(matches!(revoked, Err(StoreError::NotFound)));
        assert!(bench.store.bearer(NOW, &token).await.unwrap().is_some());
        let late = Grant { expires: NOW, ..grant() };
        let late = bench.store.issue_token(NOW, &bench.party, id, late).await;
        assert!(matches!(late, Err(StoreError::Invalid(_))));
    }

    async fn a_bearer_reaches_one_upload_and_so_many_bytes_of_it(bench: Bench) {
        let (store, all) = (&bench.store, bytes(3 * CHUNK, 1));
        let one = bench.needed(file("one", 3 * CHUNK)).await.id;
        let two = bench.needed(file("two", 3 * CHUNK)).await.id;
        let done = bench.upload(file("done", 3), b"abc").await.id;
        let grant = Grant { bytes: Some(2 * CHUNK), ..grant() };
        let token = store.issue_token(NOW, &bench.party, one, grant).await.unwrap();
        let party = store.bearer(NOW, &token).await.unwrap().unwrap().party;
        let bearer = Bench { party: party.clone(), store: store.clone(), folder: None };
        // The one, as far as it goes.
        bearer.send(one, &all, 1).await.unwrap();
        assert!(matches!(bearer.send(one, &all, 2).await, Err(StoreError::BeyondGrant { max }) if max == 2 * CHUNK));
        assert_eq!(bearer.received(one).await, [(CHUNK, 2 * CHUNK)]);
        // Nothing else of the same owner.
        for id in [two, done] {
            assert!(matches!(bearer.send(id, &all, 0).await, Err(StoreError::NotFound)));
            assert!(matches!(bearer.status(id).await, UploadStatus::Gone(_)));
            assert!(matches!(store.read(NOW, &party, id).await, Err(StoreError::NotFound)));
            assert!(matches!(store.rename(NOW, &party, id, "x").await, Err(StoreError::NotFound)));
            assert_eq!(store.delete(NOW, &party, &[id]).await.unwrap(), [DeleteResult::Deleted]);
            assert!(matches!(store.restore(NOW, &party, &[id]).await.unwrap()[..], [DeleteResult::Refused(_)]));
        }
        assert!(bench.received(two).await.is_empty(), "it is still there");
        assert_eq!(bench.content(done).await, b"abc");
        // Nothing that is of no one upload.
        let list = ListQuery::default();
        assert!(matches!(store.list(NOW, &party, &list).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.create(NOW, &party, &[file("new", 1)]).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.find(NOW, &party, &[file("done", 3)]).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.write_range(NOW, &party, one, 0).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.write_part(NOW, &party, one, ByteRange::new(0, 1)).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.set_size(NOW, &party, one, 1).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.issue_token(NOW, &party, one, grant).await, Err(StoreError::OneUpload)));
        assert!(matches!(store.revoke_tokens(&party, one, None).await, Err(StoreError::OneUpload)));
        assert_eq!(store.delete(NOW, &party, &[one]).await.unwrap(), [DeleteResult::Deleted]);
        assert!(matches!(bench.status(one).await, UploadStatus::Gone(_)), "that one it may");
    }

    async fn a_token_ends_with_its_upload(bench: Bench) {
        let id = bench.upload(file("one", 3), b"abc").await.id;
        let (store, party) = (&bench.store, &bench.party);
        let long = Grant { expires: NOW.plus(1 << 40), ..grant() };
        let token = store.issue_token(NOW, party, id, long).await.unwrap();
        // Hidden for a while: it may be taken back, also by the bearer.
        let bearer = store.bearer(NOW, &token).await.unwrap().unwrap().party;
        store.delete(NOW, &bearer, &[id]).await.unwrap();
        assert!(store.bearer(NOW, &token).await.unwrap().is_some());
        let restored = store.restore(NOW, &bearer, &[id]).await.unwrap();
        assert!(matches!(restored[..], [DeleteResult::Restored { .. }]));
        store.delete(NOW, party, &[id]).await.unwrap();
        store.sweep(NOW.plus(1 << 20)).await.unwrap();
        assert_eq!(store.shared.catalog.token(*blake3::hash(token.reveal().as_bytes()).as_bytes()).await.unwrap(), None);
    }

    async fn an_upload_has_a_hundred_tokens_at_most_and_expired_ones_do_not_count(bench: Bench) {
        let id = bench.needed(file("one", 9)).await.id;
        for _ in 0..100 {
            bench.store.issue_token(NOW, &bench.party, id, grant()).await.unwrap();
        }
        let full = bench.store.issue_token(NOW, &bench.party, id, grant()).await;
        assert!(matches!(full, Err(StoreError::TooMany { max: 100, .. })));
        let other = bench.needed(file("two", 9)).await.id;
        bench.store.issue_token(NOW, &bench.party, other, grant()).await.unwrap();
        let now = NOW.plus(1000);
        let later = Grant { expires: now.plus(1), ..grant() };
        bench.store.issue_token(now, &bench.party, id, later).await.unwrap();
        assert_eq!(bench.store.revoke_tokens(&bench.party, id, None).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_token_outlives_the_server_and_is_not_in_its_folder() {
    let bench = Bench::disk().await;
    let id = bench.needed(file("one", 9)).await.id;
    let token = bench.store.issue_token(NOW, &bench.party, id, grant());
    let token = token.await.unwrap();
    let bench = bench.reopened().await;
    assert!(bench.store.bearer(NOW, &token).await.unwrap().is_some());
    let folder = std::sync::Arc::clone(bench.folder.as_ref().unwrap());
    bench.store.close().await.unwrap();
    let secret = token.reveal().trim_start_matches("hoist_").as_bytes();
    let catalog = std::fs::read(folder.path().join(crate::CATALOG)).unwrap();
    assert!(catalog.len() > 4096);
    assert!(!catalog.windows(secret.len()).any(|part| part == secret));
    assert!(!format!("{token:?}").contains("hoist_"));
}

#[test]
fn only_what_we_make_is_read_as_a_token() {
    let good = format!("hoist_{}", "0a".repeat(32));
    assert_eq!(Token::parse(&good).unwrap().reveal(), good);
    let long = format!("{good}0");
    let upper = good.to_uppercase();
    for bad in [
        "",
        "hoist_",
        "hoist_00",
        &good[1..],
        &long,
        &upper,
        &good.replace('a', "g"),
    ] {
        assert_eq!(Token::parse(bad), None, "{bad}");
    }
}
