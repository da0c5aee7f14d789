//! What only a real connection does: breaks, stalls, arrives in pieces, ends.

use hoist_axum::{HttpConfig, ServeConfig};
use hoist_protocol::{ByteRange, ChunkResult, ErrorCode, Limits, PackResponse};
use hoist_store::StoreConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    running::{LONG, answer, closed, code, start, start_default, start_on, until},
    support::{C, Server, chunk, pack},
};

#[tokio::test]
async fn a_cut_in_mid_body_keeps_every_whole_chunk_and_leaves_no_lease() {
    let running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let chunks = [
        chunk(id, layout, 0, &content),
        chunk(id, layout, 1, &content),
    ];
    let body = pack("one", 0, &chunks);
    let stream = running.begin_pack(&body, body.len() - 10).await;
    running.taken(2 * C - 10).await;
    drop(stream);
    let server = &running.server;
    until("the whole chunk is acknowledged", async || {
        server.received(id).await == [ByteRange::new(0, C)]
    })
    .await;
    // Another page, which may not evict: the torn chunk must be free by itself.
    until("the torn chunk is free", async || {
        let request = crate::support::post("/packs", pack("two", 0, &chunks[1..]));
        let response: PackResponse = server.send(request).await.json();
        match &response.results[0] {
            ChunkResult::Acknowledged => true,
            ChunkResult::Refused(body) => {
                assert_eq!(body.code, ErrorCode::InFlight);
                false
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_sent_again_gets_past_a_black_hole_at_once_and_another_page_waits() {
    let http = HttpConfig {
        body_idle_ms: 3_600_000,
        ..HttpConfig::default()
    };
    // A higher attempt, or the same request again, as a browser sends it by itself.
    for again in [3, 4] {
        let running = start(http.clone(), ServeConfig::default()).await;
        let (id, layout, content) = running.two_chunks().await;
        let first = [chunk(id, layout, 0, &content)];
        let body = pack("one", 3, &first);
        let mut hole = running.begin_pack(&body, body.len() - 10).await;
        running.taken(C - 10).await;
        for (sender, attempt, is_acknowledged) in
            [("two", 7, false), ("one", 2, false), ("one", again, true)]
        {
            let body = pack(sender, attempt, &first);
            let mut stream = running.begin_pack(&body, body.len()).await;
            let (status, _, body) = answer(&mut stream).await;
            assert_eq!(status, 200);
            let response: PackResponse = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                response.results[0] == ChunkResult::Acknowledged,
                is_acknowledged,
                "{sender} {attempt} {response:?}"
            );
        }
        // All that while the hole was still open: nobody had to wait until it is given up.
        hole.write_all(&body[body.len() - 10..]).await.unwrap();
        let (status, _, late) = answer(&mut hole).await;
        assert_eq!(status, 200);
        let late: PackResponse = serde_json::from_slice(&late).unwrap();
        assert_eq!(late.results.len(), 1);
        assert_eq!(running.server.received(id).await, [ByteRange::new(0, C)]);
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_answered_and_ended() {
    let http = HttpConfig {
        body_idle_ms: 100,
        ..HttpConfig::default()
    };
    let running = start(http, ServeConfig::default()).await;
    let (id, layout, content) = running.two_chunks().await;
    let chunks = [
        chunk(id, layout, 0, &content),
        chunk(id, layout, 1, &content),
    ];
    let body = pack("one", 0, &chunks);
    let mut stream = running.begin_pack(&body, body.len() - 10).await;
    let (status, head, body) = answer(&mut stream).await;
    assert_eq!((status, code(&body)), (503, ErrorCode::Unavailable));
    assert!(head.contains("\r\nretry-after: "), "{head}");
    closed(&mut stream).await;
    assert_eq!(running.server.received(id).await, [ByteRange::new(0, C)]);
}

#[tokio::test]
async fn an_early_refusal_can_be_read_by_who_sends_all_first() {
    let running = start_default().await;
    let mut stream = running.connect().await;
    let size = 40 << 20; // more than a pack may be, and than any socket buffers
    let head = format!(
        "POST /hoist/uploads HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        running.addr,
        20 << 20
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..20 {
        stream.write_all(&vec![b' '; 1 << 20]).await.unwrap();
    }
    let (status, _, body) = answer(&mut stream).await;
    assert_eq!((status, code(&body)), (413, ErrorCode::TooLarge));
    // The rest was read, so the connection goes on.
    stream
        .write_all(b"GET /hoist/limits HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answer(&mut stream).await.0, 200);

    // Beyond the bound it is cut, so nobody can make the server read for ever.
    let head = format!(
        "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nContent-Length: {size}\r\n\r\n",
        running.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut sent = 0;
    while sent < size && stream.write_all(&vec![b' '; 1 << 20]).await.is_ok() {
        sent += 1 << 20;
    }
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_browser_that_sends_a_form_can_read_its_refusal_however_large_it_is() {
    let limits = Limits {
        file_size: 1 << 20,
        ..Limits::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    let server = Server::with(HttpConfig::default(), store);
    let running = start_on(server, ServeConfig::default()).await;
    let mut stream = running.connect().await;
    let begin = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let size: usize = 100 << 20; // more than is read after any other refusal
    let head = format!(
        "POST /hoist/form HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n{begin}",
        running.addr,
        begin.len() + size
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..100 {
        stream.write_all(&vec![b' '; 1 << 20]).await.unwrap();
    }
    let (status, head, _) = answer(&mut stream).await;
    assert_eq!(status, 303);
    assert!(head.contains("hoist-error=too_large"), "{head}");
}

#[tokio::test]
async fn who_asks_first_need_not_send_what_is_refused() {
    let running = start_default().await;
    let mut stream = running.connect().await;
    let head = format!(
        "POST /hoist/packs HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        running.addr,
        40 << 20
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (status, _, body) = answer(&mut stream).await;
    assert_eq!((status, code(&body)), (413, ErrorCode::TooLarge));
}

#[tokio::test]
async fn half_a_head_and_an_idle_connection_are_closed() {
    let config = ServeConfig {
        header_timeout_ms: 100,
        ..ServeConfig::default()
    };
    let running = start(HttpConfig::default(), config).await;
    let mut half = running.connect().await;
    half.write_all(b"GET /hoist/limits HTTP/1.1\r\nHost")
        .await
        .unwrap();
    closed(&mut half).await;
    let mut idle = running.connect().await;
    idle.write_all(b"GET /hoist/limits HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answer(&mut idle).await.0, 200);
    closed(&mut idle).await;
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_closed() {
    let config = ServeConfig {
        idle_timeout_ms: 100,
        ..ServeConfig::default()
    };
    let running = start(HttpConfig::default(), config).await;
    closed(&mut running.connect().await).await;
}

#[tokio::test]
async fn stopping_keeps_the_current_chunk_and_answers_the_pack() {
    let mut running = start_default().await;
    let (id, layout, content) = running.two_chunks().await;
    let chunks = [
        chunk(id, layout, 0, &content),
        chunk(id, layout, 1, &content),
    ];
    let body = pack("one", 0, &chunks);
    let end_of_first = body.len() - C as usize;
    let mut stream = running.begin_pack(&body, end_of_first - 10).await;
    running.taken(C - 10).await;
    running.stop.take().unwrap().send(()).unwrap();
    // Nobody new gets in.
    let addr = running.addr;
    until("the port is closed", async || {
        TcpStream::connect(addr).await.is_err()
    })
    .await;
    stream.write_all(&body[end_of_first - 10..]).await.unwrap();
    let (status, _, body) = answer(&mut stream).await;
    assert_eq!((status, code(&body)), (503, ErrorCode::Unavailable));
    timeout(LONG, running.serving).await.unwrap().unwrap();
    assert_eq!(running.server.received(id).await, [ByteRange::new(0, C)]);
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let config = ServeConfig {
        shutdown_ms: 100,
        ..ServeConfig::default()
    };
    let mut running = start(HttpConfig::default(), config).await;
    let (id, layout, content) = running.two_chunks().await;
    let body = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    let mut stream = running.begin_pack(&body, body.len() - 10).await;
    running.taken(C - 10).await;
    running.stop.take().unwrap().send(()).unwrap();
    timeout(LONG, running.serving).await.unwrap().unwrap();
    closed(&mut stream).await;
    assert!(running.server.received(id).await.is_empty());
}

#[tokio::test]
async fn a_cut_form_leaves_no_upload_behind() {
    let running = start_default().await;
    let mut stream = running.connect().await;
    let head = format!(
        "POST /hoist/form HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\n\
         Content-Type: multipart/form-data; boundary=B\r\n\r\n\
         --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n",
        running.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![7; 500_000]).await.unwrap();
    running.taken(400_000).await;
    let counts = async || {
        let list = running.server.get("/uploads").await;
        list.json::<hoist_protocol::ListResponse>()
            .counts
            .unfinished
    };
    assert_eq!(counts().await, 1);
    drop(stream);
    until("the upload is taken back", async || counts().await == 0).await;
}

#[tokio::test]
async fn a_head_of_12_kib_is_taken_however_many_are_connected() {
    let running = start_default().await;
    let mut others = Vec::new();
    for _ in 0..300 {
        others.push(running.connect().await);
    }
    // Accepted in order: it finds all of them. Cookies and tokens of a proxy may be so long.
    let mut stream = running.connect().await;
    let long = "a".repeat(12 << 10);
    let ask = format!("GET /hoist/limits HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 200);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_a_closed_one_makes_room() {
    let config = ServeConfig {
        per_address: 2,
        ..ServeConfig::default()
    };
    let running = start(HttpConfig::default(), config).await;
    let mut one = running.connect().await;
    let mut two = running.connect().await;
    let ask = b"GET /hoist/limits HTTP/1.1\r\nHost: x\r\n\r\n";
    for stream in [&mut one, &mut two] {
        stream.write_all(ask).await.unwrap();
        assert_eq!(answer(stream).await.0, 200);
    }
    let mut three = running.connect().await;
    closed(&mut three).await;
    drop(one);
    until("there is room again", async || {
        let mut next = running.connect().await;
        // Closed at once, it may take the question or not; it never answers.
        let mut first = [0; 12];
        next.write_all(ask).await.is_ok() && next.read_exact(&mut first).await.is_ok()
    })
    .await;
}
