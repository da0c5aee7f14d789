//! How sockets end, and what is kept then.

use super::*;

#[tokio::test]
async fn whoever_breaks_off_keeps_every_whole_chunk_and_leaves_no_lease() {
    // A cut, a goodbye, a message that is too long, bytes beyond the length, and a text among the bytes.
    for how in 0..5 {
        let running = start_default().await;
        let (id, layout, content) = running.two_chunks().await;
        let chunks = [
            chunk(id, layout, 0, &content),
            chunk(id, layout, 1, &content),
        ];
        let body = pack("one", 0, &chunks);
        let mut socket = open(&running).await;
        begin(&mut socket, body.len(), &body[..body.len() - 10]).await;
        running.taken(2 * C - 10).await;
        let message = match how {
            0 => None,
            1 => Some(Message::Close(None)),
            2 => Some(Message::Binary(vec![0; 300 << 10].into())),
            3 => Some(Message::Binary(vec![0; 11].into())),
            _ => Some(Message::text("{}")),
        };
        match message {
            None => drop(socket),
            Some(message) => {
                socket.send(message).await.unwrap();
                is_closed(&mut socket).await;
            }
        }
        let server = &running.server;
        until("the whole chunk is acknowledged", async || {
            server.received(id).await == [ByteRange::new(0, C)]
        })
        .await;
        until("the torn chunk is free", async || {
            let request = crate::support::post("/packs", pack("two", 0, &chunks[1..]));
            let response: PackResponse = server.send(request).await.json();
            response.results == [ChunkResult::Acknowledged]
        })
        .await;
    }
}

#[tokio::test]
async fn a_socket_that_is_too_old_begins_no_pack_and_pings_do_not_keep_it() {
    let config = HttpConfig {
        socket_ms: 50,
        ..HttpConfig::default()
    };
    let running = start(config, ServeConfig::default()).await;
    let mut socket = open(&running).await;
    let pinging = async {
        // Fails once it is closed.
        while socket.send(Message::Ping(Bytes::new())).await.is_ok() {
            if let Some(Ok(Message::Close(_))) = socket.next().await {
                return;
            }
        }
    };
    timeout(LONG, pinging).await.expect("it ends");
}

#[tokio::test]
async fn the_last_answer_of_a_socket_says_that_it_is() {
    let config = HttpConfig {
        socket_ms: 0,
        ..HttpConfig::default()
    };
    let running = start(config, ServeConfig::default()).await;
    let (id, layout, content) = running.two_chunks().await;
    let body = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    // It is closed at once, unless a pack has begun by then.
    until("a pack has begun", async || {
        let mut socket = open(&running).await;
        let begin = format!(r#"{{"length":{}}}"#, body.len());
        let sent = async {
            socket.feed(Message::text(begin)).await?;
            let bytes = Bytes::copy_from_slice(&body);
            socket.send(Message::Binary(bytes)).await
        };
        // Fails if it is closed already.
        let _ = sent.await;
        let Some(answer) = told(&mut socket).await.1 else {
            return false;
        };
        assert_eq!(results(&answer), [ChunkResult::Acknowledged]);
        assert!(answer.last);
        is_closed(&mut socket).await;
        true
    })
    .await;
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let body = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    for sent in [None, Some(&body[..100])] {
        let mut socket = open(&running).await;
        if let Some(sent) = sent {
            begin(&mut socket, body.len(), sent).await;
        }
        socket.send(Message::Close(None)).await.unwrap();
        let answer = timeout(LONG, socket.next()).await.expect("an answer");
        assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_stops_closes_sockets_and_waits_for_the_chunk_that_arrives() {
    let mut running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let mut idle = open(&running).await;
    let mut busy = open(&running).await;
    let chunks = [
        chunk(id, layout, 0, &content),
        chunk(id, layout, 1, &content),
    ];
    let body = pack("one", 0, &chunks);
    let rest = usize::try_from(C).unwrap() + 10;
    let (first, second) = body.split_at(body.len() - rest);
    begin(&mut busy, body.len(), first).await;
    running.taken(C - 10).await;
    running.stop.take();
    is_closed(&mut idle).await;
    // The ten bytes that end the first chunk; the second one is not begun any more.
    let second = Bytes::copy_from_slice(&second[..10]);
    busy.send(Message::Binary(second)).await.unwrap();
    let answer = answer(&mut busy).await;
    assert_eq!(
        (answer.status, code(&answer)),
        (503, ErrorCode::Unavailable)
    );
    is_closed(&mut busy).await;
    let ended = timeout(LONG, &mut running.serving).await;
    ended.expect("the server ends").unwrap();
    assert_eq!(running.server.received(id).await, [ByteRange::new(0, C)]);
}

#[tokio::test]
async fn a_server_that_has_waited_long_enough_ends_its_sockets() {
    let config = ServeConfig {
        shutdown_ms: 0,
        ..ServeConfig::default()
    };
    let mut running = start(HttpConfig::default(), config).await;
    let (id, layout, content) = running.two_chunks().await;
    let body = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    let mut socket = open(&running).await;
    begin(&mut socket, body.len(), &body[..body.len() - 10]).await;
    running.taken(C - 10).await;
    running.stop.take();
    let ended = timeout(LONG, &mut running.serving).await;
    ended.expect("the server ends").unwrap();
    is_closed(&mut socket).await;
}
