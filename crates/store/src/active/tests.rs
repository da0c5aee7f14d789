//! Who may write, and who waits for whom.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use super::*;

const NOW: Millis = Millis(1000);

fn upload() -> (Arc<Active>, Sender) {
    let active = Active::new(UploadId::from_bytes([7; 16]), 1 << 16, Some(1 << 20));
    (Arc::new(active), Sender::new("page").unwrap())
}

/// Polls once: whether the future waits.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn granted(poll: Poll<Result<Grant, StoreError>>) -> Grant {
    match poll {
        Poll::Ready(Ok(grant)) => grant,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lease_waits_for_the_write_under_the_old_one() {
    let (active, page) = upload();
    let old = granted(poll(pin!(active.lease(3, &page, 0, NOW, 10_000))));
    let busy = old.begin(NOW).unwrap();
    let mut new = pin!(active.lease(3, &page, 1, NOW, 10_000));
    assert!(poll(new.as_mut()).is_pending());
    assert!(matches!(old.begin(NOW), Err(StoreError::Evicted)));
    // The old writer is gone, its write is not.
    drop(old);
    assert!(poll(new.as_mut()).is_pending());
    drop(busy);
    let new = granted(poll(new));
    assert!(new.begin(NOW).is_ok());
}

#[test]
fn an_old_writer_that_comes_back_writes_nothing_and_takes_nothing_away() {
    let (active, page) = upload();
    let old = granted(poll(pin!(active.lease(3, &page, 0, NOW, 10_000))));
    let new = granted(poll(pin!(active.lease(3, &page, 1, NOW, 10_000))));
    assert!(matches!(old.begin(NOW), Err(StoreError::Evicted)));
    assert!(matches!(old.renew(NOW), Err(StoreError::Evicted)));
    drop(old);
    assert!(new.begin(NOW).is_ok());
}

#[test]
fn the_end_waits_for_writes_and_lets_no_more_begin() {
    let (active, page) = upload();
    let idle = granted(poll(pin!(active.lease(1, &page, 0, NOW, 10_000))));
    let writing = granted(poll(pin!(active.lease(2, &page, 0, NOW, 10_000))));
    let busy = writing.begin(NOW).unwrap();
    let mut end = pin!(active.end());
    assert!(poll(end.as_mut()).is_pending());
    assert!(matches!(idle.begin(NOW), Err(StoreError::Evicted)));
    drop(busy);
    assert!(poll(end).is_ready());
    assert!(matches!(writing.begin(NOW), Err(StoreError::Evicted)));
    let late = poll(pin!(active.lease(3, &page, 0, NOW, 10_000)));
    assert!(matches!(late, Poll::Ready(Err(StoreError::NotFound))));
}

#[test]
fn who_removes_an_upload_waits_for_who_publishes_it_and_nobody_begins_in_between() {
    let (active, _) = upload();
    active.lock().is_publishing = true;
    {
        let mut end = pin!(active.end_unpublished());
        assert!(poll(end.as_mut()).is_pending());
        assert!(!active.lock().has_ended, "it may be finished after all");
        active.lock().is_publishing = false;
        active.tell();
        assert!(poll(end).is_ready());
    }
    // On two threads that begin at once, because the gap was between two lines.
    let all: Vec<_> = (0..60_000).map(|_| upload().0).collect();
    let arrived = AtomicUsize::new(0);
    let start = |turn: usize| {
        arrived.fetch_add(1, Ordering::SeqCst);
        while arrived.load(Ordering::SeqCst) < 2 * (turn + 1) {
            std::hint::spin_loop(); // a barrier of the system would wake them too far apart
        }
    };
    let (publishing, ended): (Vec<bool>, Vec<bool>) = std::thread::scope(|threads| {
        let publishing = threads.spawn(|| {
            let begin = |(turn, active): (usize, &Arc<Active>)| {
                start(turn);
                let mut inner = active.lock();
                inner.is_publishing = !inner.has_ended;
                inner.is_publishing
            };
            all.iter().enumerate().map(begin).collect()
        });
        let end = |(turn, active): (usize, &Arc<Active>)| {
            start(turn);
            poll(pin!(active.end_unpublished())).is_ready()
        };
        let ended = all.iter().enumerate().map(end).collect();
        (publishing.join().unwrap(), ended)
    });
    for (is_publishing, is_ended) in publishing.into_iter().zip(ended) {
        assert_ne!(is_publishing, is_ended);
    }
}

#[test]
fn nobody_writes_to_what_is_being_published() {
    let (active, page) = upload();
    let range = granted(poll(pin!(active.lease(RANGE, &page, 0, NOW, 10_000))));
    active.lock().is_publishing = true;
    assert!(matches!(range.begin(NOW), Err(StoreError::Evicted)));
    assert!(poll(pin!(active.lease(2, &page, 1, NOW, 10_000))).is_pending());
}
