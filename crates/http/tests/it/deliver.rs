//! Who subscribes is told: once it has worked, again until it does, and in order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use hoist_axum::{Clock, HttpConfig, on_complete, on_event};
use hoist_protocol::Millis;
use hoist_store::{EventKind, StoreConfig};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::support::{C, Server, bytes, file};

fn server() -> Server {
    let config = StoreConfig {
        subscribers: vec!["app".into()],
        ..StoreConfig::default()
    };
    Server::with(HttpConfig::default(), config)
}

/// A clock that goes as tokio's, which a test does not wait for.
fn clock() -> Clock {
    let start = Instant::now();
    Clock::new(move || {
        Millis(1_700_000_000_000 + u64::try_from(start.elapsed().as_millis()).unwrap())
    })
}

/// One call of the handler: the event's number, its kind, its file's name, how many seconds had passed.
type Call = (u64, EventKind, String, u64);

/// Delivers to a handler that answers with `answer`, and says what it was told.
fn deliver(
    server: &Server,
    answer: impl Fn(&Call, usize) -> Result<(), String> + Send + Sync + 'static,
) -> (JoinHandle<()>, mpsc::UnboundedReceiver<Call>) {
    let (told, calls) = mpsc::unbounded_channel();
    let (start, times) = (Instant::now(), Mutex::new(HashMap::new()));
    let handle = move |event: hoist_store::Event| {
        let call = (
            event.number,
            event.kind,
            event.receipt.name.clone(),
            start.elapsed().as_secs(),
        );
        let time = {
            let mut times = times.lock().unwrap();
            let time = times.entry(event.number).or_insert(0_usize);
            *time += 1;
            *time
        };
        let result = answer(&call, time);
        told.send(call).unwrap();
        async move { result }
    };
    let task = on_event(server.store.clone(), "app", clock(), handle);
    (tokio::spawn(task), calls)
}

async fn send(server: &Server, name: &str) -> hoist_protocol::UploadId {
    server.upload(file(name, C), &bytes(C)).await.id
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_told_again_later_each_time_and_holds_up_only_its_own_file() {
    let server = server();
    let (_task, mut calls) = deliver(&server, |call, time| {
        if call.2 == "a" && time < 5 {
            Err("not now".into())
        } else {
            Ok(())
        }
    });
    let id = send(&server, "a").await;
    let first = calls.recv().await.unwrap();
    assert_eq!(
        (first.1, first.2.as_str(), first.3),
        (EventKind::Finished, "a", 0)
    );
    server
        .store
        .rename(
            server.now(),
            &hoist_store::Party::known(hoist_store::Owner::shared()),
            id,
            "z",
        )
        .await
        .unwrap();
    send(&server, "b").await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(calls.recv().await.unwrap());
    }
    let said: Vec<_> = all
        .iter()
        .map(|(_, kind, name, at)| (*kind, name.as_str(), *at))
        .collect();
    let (finished, renamed) = (EventKind::Finished, EventKind::Renamed);
    assert_eq!(
        said,
        [
            (finished, "b", 0),
            (finished, "a", 1),
            (finished, "a", 3),
            (finished, "a", 7),
            (finished, "a", 15),
            (renamed, "z", 15),
        ]
    );
    assert!(
        all.iter()
            .filter(|call| call.2 == "a")
            .all(|call| call.0 == first.0),
        "one event has one number"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_asked_again() {
    let server = server();
    let (_task, mut calls) = deliver(&server, |_, time| {
        assert!(time > 1, "the handler is broken");
        Ok(())
    });
    send(&server, "a").await;
    // The first call panics before it can tell.
    assert_eq!(calls.recv().await.unwrap().3, 1);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_a_week_is_given_up_and_the_next_one_comes() {
    let server = server();
    let (_task, mut calls) = deliver(&server, |call, _| {
        if call.1 == EventKind::Finished {
            Err("never".into())
        } else {
            Ok(())
        }
    });
    let id = send(&server, "a").await;
    server
        .store
        .rename(
            server.now(),
            &hoist_store::Party::known(hoist_store::Owner::shared()),
            id,
            "z",
        )
        .await
        .unwrap();
    let mut tried = 0;
    let last = loop {
        let call = calls.recv().await.unwrap();
        if call.1 == EventKind::Renamed {
            break call;
        }
        tried += 1;
        assert!(tried < 1000);
    };
    // 1 s, 2 s, … 2 048 s, then every hour for seven days.
    assert!((178..=182).contains(&tried), "{tried}");
    assert!(
        (7 * 24 * 3600..7 * 24 * 3600 + 3700).contains(&last.3),
        "{}",
        last.3
    );
}

#[tokio::test]
async fn on_complete_is_told_of_complete_files_only_and_the_rest_is_not_kept() {
    let server = server();
    let id = send(&server, "a").await;
    let party = hoist_store::Party::known(hoist_store::Owner::shared());
    server
        .store
        .delete(server.now(), &party, &[id])
        .await
        .unwrap();
    let (told, mut calls) = mpsc::unbounded_channel();
    let done = on_complete(
        server.store.clone(),
        "app",
        clock(),
        move |owner, receipt| {
            told.send((owner, receipt.id)).unwrap();
            async { Ok::<(), String>(()) }
        },
    );
    let task = tokio::spawn(done);
    assert_eq!(
        calls.recv().await.unwrap(),
        (hoist_store::Owner::shared(), id)
    );
    let second = send(&server, "b").await;
    assert_eq!(calls.recv().await.unwrap().1, second);
    // It ends with its store.
    server.store.close().await.unwrap();
    task.await.unwrap();
    assert!(calls.recv().await.is_none());
}

#[tokio::test]
async fn many_are_told_at_once_and_none_twice() {
    let server = server();
    let most = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let (told, mut calls) = mpsc::unbounded_channel();
    for n in 0..100 {
        send(&server, &format!("{n}")).await;
    }
    let task = on_event(server.store.clone(), "app", clock(), move |event| {
        let (seen, told) = (Arc::clone(&seen), told.clone());
        async move {
            let now = seen.0.fetch_add(1, Ordering::SeqCst) + 1;
            seen.1.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            seen.0.fetch_sub(1, Ordering::SeqCst);
            told.send(event.number).map_err(|error| error.to_string())
        }
    });
    let task = tokio::spawn(task);
    let mut numbers = std::collections::HashSet::new();
    for _ in 0..100 {
        assert!(numbers.insert(calls.recv().await.unwrap()));
    }
    assert_eq!(most.1.load(Ordering::SeqCst), 16);
    task.abort();
}
