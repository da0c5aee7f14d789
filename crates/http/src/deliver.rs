//! Tells an app, or somebody else, what became of files: at least once, whatever dies.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use hoist_protocol::{Millis, Receipt};
use hoist_store::{Event, EventKind, Owner, Store, StoreError};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::Clock;

/// Events that are on their way at one time, each of another upload.
const AT_ONCE: u32 = 16;
/// The first wait after a failure; each next one is twice as long …
const SHORTEST_MS: u64 = 1_000;
/// … up to this.
const LONGEST_MS: u64 = 3_600_000;
/// The longest time between two looks.
const PAUSE_MS: u64 = 60_000;
/// What could not be delivered for so long is given up: 7 days.
const GIVE_UP_MS: u64 = 7 * 24 * 3_600_000;

/// Calls `handle` for each event of `subscriber`, one of [`hoist_store::StoreConfig::subscribers`].
///
/// An event was written down together with what it tells of, and is forgotten when `handle` has
/// returned `Ok`. So it comes at least once, and again if the process dies in between: then with the
/// same [`Event::number`]. Those of one upload come in order, one after the other; those of several,
/// up to 16 at once. An error, or a panic, is tried again after a second, then after twice as long
/// each time up to an hour, and given up with an error in the log after seven days.
///
/// The future ends when the store is closed; spawn it. Dropping it calls off what is under way,
/// which comes again.
///
/// # Examples
///
/// See [`on_complete`].
pub async fn on_event<H, F, E>(store: Store, subscriber: &str, clock: Clock, handle: H)
where
    H: Fn(Event) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let handle = Arc::new(handle);
    let mut news = store.news();
    loop {
        news.mark_unchanged();
        let now = clock.now();
        let waiting = match store.events(subscriber, AT_ONCE).await {
            Ok(waiting) => waiting,
            Err(StoreError::Unavailable) => return,
            Err(error) => {
                tracing::warn!(subscriber, cause = %error, "events could not be read; it is tried again");
                sleep(Duration::from_millis(SHORTEST_MS)).await;
                continue;
            }
        };
        let next = waiting.iter().map(|event| wait(event, now)).min();
        let due: Vec<_> = waiting
            .into_iter()
            .filter(|event| wait(event, now) == 0)
            .collect();
        if due.is_empty() {
            let wait = Duration::from_millis(next.unwrap_or(PAUSE_MS).min(PAUSE_MS));
            if let Ok(Err(_)) = timeout(wait, news.changed()).await {
                return;
            }
            continue;
        }
        if !round(&store, subscriber, &clock, &handle, due).await {
            sleep(Duration::from_millis(SHORTEST_MS)).await;
        }
    }
}

/// As [`on_event`], for what most apps want to know: a file is complete and published.
///
/// # Examples
///
/// ```
/// use hoist_axum::{Clock, on_complete};
/// use hoist_store::{Store, StoreConfig};
/// # use hoist_protocol::{Millis, NewFile};
/// # use hoist_store::{Owner, Party};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let subscribers = vec!["my-app".to_owned()];
/// let store = Store::memory(StoreConfig { subscribers, ..StoreConfig::default() });
/// # let (done, mut is_done) = tokio::sync::mpsc::unbounded_channel();
/// tokio::spawn(on_complete(store.clone(), "my-app", Clock::system(), move |owner, receipt| {
/// #   let done = done.clone();
///     async move {
///         // Put it into your own database, with `receipt.id` as the key: it may come twice.
///         println!("{owner} has sent {}", receipt.stored_as);
/// #       done.send(receipt).map_err(|_| std::fmt::Error)?;
///         Ok::<(), std::fmt::Error>(())
///     }
/// }));
/// # let empty = NewFile { name: "empty.txt".into(), size: Some(0), ..NewFile::default() };
/// # store.create(Millis(7), &Party::known(Owner::shared()), &[empty]).await?;
/// # assert_eq!(is_done.recv().await.ok_or("nothing came")?.stored_as, "empty.txt");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn on_complete<H, F, E>(store: Store, subscriber: &str, clock: Clock, handle: H)
where
    H: Fn(Owner, Receipt) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    on_event(store, subscriber, clock, move |event| {
        let done = (event.kind == EventKind::Finished).then(|| handle(event.owner, event.receipt));
        async move {
            match done {
                Some(done) => done.await,
                None => Ok(()),
            }
        }
    })
    .await;
}

/// How long an event still waits; one that is due beyond the longest wait is so because the clock
/// was set back.
const fn wait(event: &Event, now: Millis) -> u64 {
    match event.due.saturating_sub(now.0) {
        wait if wait > LONGEST_MS => 0,
        wait => wait,
    }
}

const fn doubled(times: u32) -> u64 {
    let times = if times > 20 { 20 } else { times };
    SHORTEST_MS << times
}

/// Tells these events at once; `false` if what became of them could not be noted.
async fn round<H, F, E>(
    store: &Store,
    subscriber: &str,
    clock: &Clock,
    handle: &Arc<H>,
    due: Vec<Event>,
) -> bool
where
    H: Fn(Event) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut by_task = std::collections::HashMap::new();
    for event in due {
        let (handle, told) = (Arc::clone(handle), event.clone());
        // In a task of its own, so that a panic is one event's.
        let task =
            tasks.spawn(async move { handle(told).await.map_err(|error| error.to_string()) });
        by_task.insert(task.id(), event);
    }
    let mut is_noted = true;
    while let Some(done) = tasks.join_next_with_id().await {
        let (id, result) = match done {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some(event) = by_task.remove(&id) else {
            continue;
        };
        let noted = match result {
            Ok(()) => store.delivered(&event).await,
            Err(cause) => {
                let (upload, number) = (event.receipt.id, event.number);
                let now = clock.now();
                if now.since(event.at) > GIVE_UP_MS {
                    tracing::error!(subscriber, number, %upload, cause, "an event was given up");
                    store.delivered(&event).await
                } else {
                    tracing::warn!(subscriber, number, %upload, cause, "an event could not be delivered; it is tried again");
                    let wait = doubled(event.tries).min(LONGEST_MS);
                    store.postpone(&event, now.plus(wait)).await
                }
            }
        };
        if let Err(error) = noted {
            is_noted = false;
            tracing::warn!(subscriber, number = event.number, cause = %error, "an event comes again");
        }
    }
    is_noted
}
