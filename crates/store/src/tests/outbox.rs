//! What subscribers are told.

use hoist_protocol::Millis;

use super::{
    conformance,
    support::{APP, Bench, NOW, bytes, file},
};
use crate::EventKind;

conformance! {
    async fn each_change_of_a_finished_file_is_told_once_and_in_order(bench: Bench) {
        bench.needed(file("begun", 5)).await;
        assert!(bench.events().await.is_empty(), "nothing is finished");
        let receipt = bench.upload(file("a", 3), b"abc").await;
        let (store, party, id) = (&bench.store, &bench.party, receipt.id);
        store.rename(NOW.plus(1), party, id, "b").await.unwrap();
        store.delete(NOW.plus(2), party, &[id]).await.unwrap();
        // Deleted is deleted; the second time nothing happens.
        store.delete(NOW.plus(3), party, &[id]).await.unwrap();
        store.restore(NOW.plus(4), party, &[id]).await.unwrap();
        let mut told = Vec::new();
        for _ in 0..4 {
            let events = bench.events().await;
            let [event] = &events[..] else { panic!("one at a time for one upload: {events:?}") };
            told.push((event.kind, event.at, event.receipt.name.clone()));
            assert_eq!((event.receipt.id, &event.owner), (id, &party.owner));
            // Until it is delivered the same comes again.
            assert_eq!(bench.events().await, events);
            store.delivered(event).await.unwrap();
        }
        assert!(bench.events().await.is_empty());
        let what = |kind, later, name: &str| (kind, NOW.plus(later), name.to_owned());
        assert_eq!(told, [
            what(EventKind::Finished, 0, "a"),
            what(EventKind::Renamed, 1, "b"),
            what(EventKind::Deleted, 2, "b"),
            what(EventKind::Restored, 4, "b"),
        ]);
    }

    async fn what_is_postponed_holds_back_its_own_upload_only(bench: Bench) {
        let first = bench.upload(file("a", 3), b"abc").await;
        bench.store.rename(NOW, &bench.party, first.id, "b").await.unwrap();
        let second = bench.upload(file("c", 3), b"abc").await;
        let events = bench.events().await;
        let of = |events: &[crate::Event]| events.iter().map(|event| (event.receipt.id, event.kind)).collect::<Vec<_>>();
        assert_eq!(of(&events), [(first.id, EventKind::Finished), (second.id, EventKind::Finished)]);
        bench.store.postpone(&events[0], Millis(9)).await.unwrap();
        let later = bench.events().await;
        assert_eq!(of(&later), [(second.id, EventKind::Finished), (first.id, EventKind::Finished)]);
        assert_eq!((later[1].due, later[1].tries, later[1].number), (9, 1, events[0].number));
        assert_eq!(bench.store.events(APP, 1).await.unwrap(), later[..1]);
        assert!(bench.store.events("nobody", 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_was_not_delivered_is_there_after_a_restart_and_numbers_are_never_used_again() {
    let bench = Bench::disk().await;
    let receipt = bench.upload(file("a", 3), b"abc").await;
    let told = bench.events().await;
    let bench = bench.reopened().await;
    assert_eq!(bench.events().await, told);
    assert_eq!(told[0].receipt, receipt);
    bench.store.delivered(&told[0]).await.unwrap();
    let bench = bench.reopened().await;
    assert!(bench.events().await.is_empty());
    bench.upload(file("b", 70_000), &bytes(70_000, 1)).await;
    assert!(bench.events().await[0].number > told[0].number);
}

#[tokio::test]
async fn without_subscribers_nothing_is_kept() {
    let config = crate::StoreConfig {
        subscribers: Vec::new(),
        ..super::support::config()
    };
    let bench = Bench::disk_with(config).await;
    bench.upload(file("a", 3), b"abc").await;
    assert!(bench.reopened().await.events().await.is_empty());
}

#[tokio::test]
async fn a_closed_store_wakes_whoever_waits_for_news() {
    let bench = Bench::memory();
    let mut news = bench.store.news();
    let waits = tokio::spawn(async move { news.changed().await.is_ok() });
    bench.store.close().await.unwrap();
    assert!(waits.await.unwrap());
    assert!(bench.store.events(APP, 1).await.is_err());
}
