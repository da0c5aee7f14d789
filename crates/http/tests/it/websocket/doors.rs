//! Who gets a socket, and whose it is.

use super::*;

#[tokio::test]
async fn who_may_not_send_gets_no_socket_and_a_page_elsewhere_gets_none_with_anybodys_cookie() {
    let running = crate::running::start_on(server(), ServeConfig::default()).await;
    let owner = visit(&running.server, &[]).await;
    let mine = ("cookie", owner.as_str());
    assert!(open_with(&running, &[mine]).await.is_ok());
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(
            refused(&running, &[mine, foreign]).await,
            403,
            "{foreign:?}"
        );
    }
    let unknown = ("cookie", crate::table::UNKNOWN);
    assert_eq!(refused(&running, &[unknown]).await, 401);
    let needed = create(&running.server, &owner, "a").await;
    let reads = token(&running.server, &owner, needed, &["read"]).await;
    let reads = format!("Bearer {reads}");
    assert_eq!(
        refused(&running, &[("authorization", reads.as_str())]).await,
        403
    );
}

#[tokio::test]
async fn each_pack_is_sent_by_whoever_opened_the_socket_and_no_longer_than_they_may() {
    let running = crate::running::start_on(server(), ServeConfig::default()).await;
    let owner = visit(&running.server, &[]).await;
    let id = create(&running.server, &owner, "a").await;
    let layout = hoist_protocol::ChunkLayout::new(2 * C, C).unwrap();
    let content = crate::support::bytes(2 * C);
    let sends = token(&running.server, &owner, id, &["send"]).await;
    let bearer = format!("Bearer {sends}");
    let mut socket = open_with(&running, &[("authorization", &bearer)])
        .await
        .unwrap();
    let stranger = visit(&running.server, &[]).await;
    let mut other = open_with(&running, &[("cookie", &stranger)]).await.unwrap();
    let first = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    begin(&mut other, first.len(), &first).await;
    assert!(matches!(
        &results(&answer(&mut other).await)[..],
        [ChunkResult::Refused(body)] if body.code == ErrorCode::NotFound
    ));
    begin(&mut socket, first.len(), &first).await;
    assert_eq!(
        results(&answer(&mut socket).await),
        [ChunkResult::Acknowledged]
    );
    // The token ends while the socket is open.
    let path = format!("/uploads/{id}/tokens/revoke");
    let revoke = with(crate::support::post(&path, "{}"), "cookie", &owner);
    assert!(running.server.send(revoke).await.status.is_success());
    let second = pack("one", 0, &[chunk(id, layout, 1, &content)]);
    begin(&mut socket, second.len(), &second).await;
    let refusal = answer(&mut socket).await;
    assert_eq!(
        (refusal.status, code(&refusal)),
        (401, ErrorCode::Unauthorized)
    );
}

#[tokio::test]
async fn there_are_as_many_sockets_as_allowed_and_who_comes_later_is_told_to_send_requests() {
    assert_eq!(HttpConfig::default().sockets, 64);
    let with = async |sockets| {
        let config = HttpConfig {
            sockets,
            ..HttpConfig::default()
        };
        start(config, ServeConfig::default()).await
    };
    assert_eq!(refused(&with(0).await, &[]).await, 503);
    let running = with(2).await;
    let mut open_ones = vec![open(&running).await, open(&running).await];
    assert_eq!(refused(&running, &[]).await, 503);
    drop(open_ones.pop());
    until("a place is free", async || {
        open_with(&running, &[]).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn what_is_no_handshake_is_a_clear_error() {
    let running = start_default().await;
    let answer = running.server.get("/socket").await;
    assert_eq!(answer.status, 400);
    let body: ErrorBody = answer.json();
    assert_eq!(body.code, ErrorCode::InvalidRequest);
    assert!(body.message.contains("WebSocket"), "{}", body.message);
}

#[tokio::test]
async fn a_socket_holds_the_place_of_its_connection_also_one_of_the_apps_own() {
    let config = ServeConfig {
        per_address: 1,
        ..ServeConfig::default()
    };
    let own = get(async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| while socket.recv().await.is_some() {})
    });
    for path in ["/hoist/socket", "/own"] {
        let mut server = Server::memory();
        server.router = server.router.route("/own", own.clone());
        let running = crate::running::start_on(server, config.clone()).await;
        let open = async || {
            let address = format!("ws://{}{path}", running.addr);
            client_async(address, running.connect().await).await
        };
        let socket = open().await.unwrap();
        assert!(open().await.is_err(), "{path}: the only place is taken");
        drop(socket);
        until("the place is free", async || open().await.is_ok()).await;
    }
}

#[tokio::test]
async fn unmasked_bytes_are_not_taken() {
    let running = start_default().await;
    let socket = open(&running).await;
    // As a server would send, which RFC 6455, section 5.1, forbids to clients.
    let mut unmasked =
        WebSocketStream::from_raw_socket(socket.into_inner(), Role::Server, None).await;
    unmasked
        .send(Message::text(r#"{"length":4}"#))
        .await
        .unwrap();
    let (_, answer) = told(&mut unmasked).await;
    assert_eq!(answer, None);
}
