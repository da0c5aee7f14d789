//! Packs, and what is told of them.

use super::*;

#[tokio::test]
async fn packs_follow_each_other_on_one_socket_and_the_last_brings_the_receipt() {
    let running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let mut socket = open(&running).await;
    for index in 0..2 {
        let body = pack("one", 0, &[chunk(id, layout, index, &content)]);
        begin(&mut socket, body.len(), &body).await;
        let answer = answer(&mut socket).await;
        assert_eq!(results(&answer), [ChunkResult::Acknowledged]);
        assert_eq!(answer.body.contains("\"receipts\":[{"), index == 1);
        assert!(!answer.last, "more may follow");
    }
    assert_eq!(
        running.server.store.received_bytes(),
        2 * C,
        "nothing is taken twice"
    );
}

#[tokio::test]
async fn the_page_is_told_how_much_was_taken_of_a_large_pack() {
    let running = start_default().await;
    let size = 4 << 20;
    let needed = running.server.create("large", size).await;
    let layout = hoist_protocol::ChunkLayout::new(size, needed.chunk_size).unwrap();
    let content = crate::support::bytes(size);
    let chunks: Vec<_> = (0..layout.count())
        .map(|index| chunk(needed.id, layout, index, &content))
        .collect();
    let body = pack("one", 0, &chunks);
    let mut socket = open(&running).await;
    begin(&mut socket, body.len(), &body).await;
    let (taken, answer) = told(&mut socket).await;
    let results = results(&answer.unwrap());
    assert!(results.iter().all(|r| *r == ChunkResult::Acknowledged));
    let mut steps = taken.windows(2);
    assert!(
        taken.len() >= 2 && steps.all(|step| step[0] < step[1]),
        "{taken:?}"
    );
    let within = 1..body.len() as u64;
    assert!(
        taken.iter().all(|taken| within.contains(taken)),
        "{taken:?}"
    );
}

#[tokio::test]
async fn a_damaged_chunk_is_refused_and_the_socket_goes_on() {
    let running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let mut socket = open(&running).await;
    let good = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    begin(&mut socket, bad.len(), &bad).await;
    let refused = results(&answer(&mut socket).await);
    assert!(
        matches!(&refused[..], [ChunkResult::Refused(body)] if body.code == ErrorCode::ChecksumMismatch),
        "{refused:?}"
    );
    begin(&mut socket, good.len(), &good).await;
    let answer = answer(&mut socket).await;
    assert_eq!(results(&answer), [ChunkResult::Acknowledged]);
}

#[tokio::test]
async fn a_refusal_before_the_last_byte_arrives_and_closes_the_socket() {
    let running = start_default().await;
    let mut socket = open(&running).await;
    let length = usize::try_from(u64::from(u32::MAX)).unwrap();
    begin(&mut socket, length, &[0; 1000]).await;
    let answer = answer(&mut socket).await;
    assert_eq!((answer.status, code(&answer)), (413, ErrorCode::TooLarge));
    assert!(answer.last);
    is_closed(&mut socket).await;
}

#[tokio::test]
async fn what_is_no_pack_is_told_so_and_closes_the_socket() {
    let running = start_default().await;
    for message in [
        Message::text("hello"),
        Message::text(r#"{"length":-1}"#),
        Message::Binary(vec![1, 2, 3].into()),
    ] {
        let mut socket = open(&running).await;
        socket.send(message).await.unwrap();
        let answer = answer(&mut socket).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (400, ErrorCode::InvalidRequest)
        );
        is_closed(&mut socket).await;
    }
}
