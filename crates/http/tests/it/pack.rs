use axum::body::Body;
use hoist_protocol::{
    ByteRange, ChunkLayout, ChunkResult, CreateAnswer, ErrorCode, Limits, NewFile, PackChunk,
    PackResponse, UploadId, UploadStatus,
};
use hoist_store::StoreConfig;

use crate::support::{Answer, C, Server, bytes, chunk, file, framed, frames, pack, post};

fn is_acknowledged(response: &PackResponse) -> Vec<bool> {
    let acknowledged = |result: &ChunkResult| matches!(result, ChunkResult::Acknowledged);
    response.results.iter().map(acknowledged).collect()
}

#[tokio::test]
async fn chunks_in_any_order_make_the_file_and_the_last_one_its_receipt() {
    for server in Server::both().await {
        let content = bytes(3 * C + 7);
        let layout = ChunkLayout::new(3 * C + 7, C).unwrap();
        let id = server.create("a", 3 * C + 7).await.id;
        for (index, received) in [
            (3, vec![ByteRange::new(3 * C, 3 * C + 7)]),
            (
                0,
                vec![ByteRange::new(0, C), ByteRange::new(3 * C, 3 * C + 7)],
            ),
            (
                2,
                vec![ByteRange::new(0, C), ByteRange::new(2 * C, 3 * C + 7)],
            ),
        ] {
            let response = server.pack(&[chunk(id, layout, index, &content)]).await;
            assert_eq!(is_acknowledged(&response), [true]);
            assert!(response.receipts.is_empty());
            assert_eq!(server.received(id).await, received);
        }
        let response = server.pack(&[chunk(id, layout, 1, &content)]).await;
        let hash = response.receipts[0].hash.unwrap();
        assert_eq!(hash.as_bytes(), blake3::hash(&content).as_bytes());
        // The answer was lost; the same pack again says the same.
        assert_eq!(
            server.pack(&[chunk(id, layout, 1, &content)]).await,
            response
        );
        let back = server.get(&format!("/files/{id}/a")).await;
        assert_eq!(back.body, content);
    }
}

#[tokio::test]
async fn three_hundred_small_files_travel_in_one_pack() {
    let server = Server::disk(hoist_axum::HttpConfig::default()).await;
    let contents: Vec<Vec<u8>> = (0..300u32).map(|n| n.to_be_bytes().repeat(20)).collect();
    let files = (0..300).map(|n| file(&format!("{n}.txt"), 80)).collect();
    let ids: Vec<UploadId> = server
        .create_all(files)
        .await
        .into_iter()
        .map(|answer| match answer {
            CreateAnswer::Needed(needed) => needed.id,
            other => panic!("{other:?}"),
        })
        .collect();
    let layout = ChunkLayout::new(80, C).unwrap();
    let chunks: Vec<_> = ids
        .iter()
        .zip(&contents)
        .map(|(id, content)| chunk(*id, layout, 0, content))
        .collect();
    let response = server.pack(&chunks).await;
    assert_eq!(is_acknowledged(&response), [true; 300]);
    let finished: Vec<_> = response.receipts.iter().map(|receipt| receipt.id).collect();
    assert_eq!(finished, ids, "receipts come in the order of the manifest");
    for (n, content) in contents.iter().enumerate() {
        assert_eq!(&server.stored(&format!("{n}.txt")), content);
    }
}

#[tokio::test]
async fn one_refused_chunk_does_not_hold_up_the_others() {
    for server in Server::both().await {
        let content = bytes(2 * C);
        let layout = ChunkLayout::new(2 * C, C).unwrap();
        let id = server.create("a", 2 * C).await.id;
        let nobodys = chunk(UploadId::from_bytes([9; 16]), layout, 0, &content);
        let damaged: Vec<u8> = content[..C as usize].iter().map(|byte| byte ^ 1).collect();
        let first = chunk(id, layout, 0, &content);
        let response = server
            .pack(&[
                nobodys.clone(),
                (first.0.clone(), damaged.as_slice()),
                nobodys,
                chunk(id, layout, 1, &content),
            ])
            .await;
        assert_eq!(is_acknowledged(&response), [false, false, false, true]);
        assert_eq!(server.received(id).await, [ByteRange::new(C, 2 * C)]);
        let codes: Vec<_> = response
            .results
            .iter()
            .filter_map(|result| match result {
                ChunkResult::Refused(body) => Some(body.code),
                ChunkResult::Acknowledged => None,
            })
            .collect();
        assert_eq!(
            codes,
            [
                ErrorCode::NotFound,
                ErrorCode::ChecksumMismatch,
                ErrorCode::NotFound
            ]
        );
        let response = server.pack(&[first]).await;
        assert_eq!(response.receipts[0].id, id);
    }
}

#[tokio::test]
async fn frames_may_be_cut_anywhere() {
    let content = bytes(C + 100);
    let layout = ChunkLayout::new(C + 100, C).unwrap();
    for size in [1, 3, 7, 4096, 100_000] {
        let server = Server::memory();
        let id = server.create("a", C + 100).await.id;
        let chunks = [
            chunk(id, layout, 0, &content),
            chunk(id, layout, 1, &content),
        ];
        let body = pack("s", 0, &chunks);
        let body = frames(body.chunks(size).map(<[u8]>::to_vec).collect());
        let response: PackResponse = server.send(post("/packs", body)).await.json();
        assert_eq!(response.receipts.len(), 1, "frames of {size}");
        assert_eq!(server.get(&format!("/files/{id}/a")).await.body, content);
    }
}

#[tokio::test]
async fn the_chunk_that_is_the_last_tells_the_size() {
    for (server, tail) in Server::both().await.into_iter().zip([5, 0]) {
        let new = NewFile {
            size: None,
            ..file("a", 0)
        };
        let id = match server.create_all(vec![new]).await.remove(0) {
            CreateAnswer::Needed(needed) => needed.id,
            other => panic!("{other:?}"),
        };
        let content = bytes(C + tail);
        let part = |index, range: std::ops::Range<u64>, last| {
            let chunk = PackChunk {
                upload: id,
                index,
                length: range.end - range.start,
                checksum: None,
                last,
            };
            (chunk, &content[range.start as usize..range.end as usize])
        };
        let response = server.pack(&[part(0, 0..C, false)]).await;
        assert_eq!(is_acknowledged(&response), [true]);
        let response = server.pack(&[part(1, C..C + tail, true)]).await;
        assert_eq!(response.receipts[0].size, C + tail);
        let hash = response.receipts[0].hash.unwrap();
        assert_eq!(hash.as_bytes(), blake3::hash(&content).as_bytes());
    }
}

#[tokio::test]
async fn a_pack_that_contradicts_itself_or_the_limits_is_refused_as_a_whole() {
    let limits = Limits {
        pack_size: 3 * C,
        manifest_size: 2000,
        pack_chunks: 5,
        ..Limits::default()
    };
    let store = StoreConfig {
        limits,
        ..StoreConfig::default()
    };
    let server = Server::with(hoist_axum::HttpConfig::default(), store);
    let content = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let id = server.create("a", 2 * C).await.id;
    let one = chunk(id, layout, 0, &content);
    let whole = pack("s", 0, std::slice::from_ref(&one));
    let tiny = PackChunk {
        length: 1,
        checksum: None,
        ..one.0.clone()
    };
    let endless = PackChunk {
        length: u64::MAX,
        ..tiny.clone()
    };
    let invalid = (400, ErrorCode::InvalidRequest);
    let manifest = |json: &str| Body::from(framed(json.as_bytes()));
    for (what, body, error) in [
        ("nothing", Body::empty(), invalid),
        ("half a length", vec![0, 0].into(), invalid),
        ("half a manifest", whole[..20].to_vec().into(), invalid),
        ("no JSON", manifest("what"), invalid),
        (
            "no sender",
            manifest(r#"{"attempt":0,"chunks":[]}"#),
            invalid,
        ),
        (
            "a chunk that is cut, in a body that ends well",
            frames(vec![whole[..whole.len() - 1].to_vec()]),
            invalid,
        ),
        (
            "a byte too few, as announced",
            whole[..whole.len() - 1].to_vec().into(),
            invalid,
        ),
        (
            "a byte too many",
            [&whole[..], b"x"].concat().into(),
            invalid,
        ),
        (
            "a byte too many, not announced",
            frames(vec![whole.clone(), b"x".to_vec()]),
            invalid,
        ),
        (
            "lengths that overflow",
            pack("s", 0, &[(endless.clone(), b""), (endless, b"")]).into(),
            (413, ErrorCode::TooLarge),
        ),
        (
            "a manifest beyond its limit",
            vec![0xff; 8].into(),
            (413, ErrorCode::TooLarge),
        ),
        (
            "more chunks than allowed",
            pack("s", 0, &vec![(tiny, b"x".as_slice()); 6]).into(),
            (413, ErrorCode::TooMany),
        ),
        (
            "a body beyond its limit",
            vec![0; 3 * C as usize + 1].into(),
            (413, ErrorCode::TooLarge),
        ),
        (
            "a body beyond its limit, not announced",
            frames(vec![framed(&vec![b' '; 1999]), vec![0; 3 * C as usize]]),
            invalid, // the manifest is none
        ),
    ] {
        let answer: Answer = server.send(post("/packs", body)).await;
        assert_eq!(answer.error(), error, "{what}");
    }
    let none = server.pack(&[]).await;
    assert!(none.results.is_empty());
}

#[tokio::test]
async fn what_had_arrived_before_a_contradiction_is_kept() {
    let server = Server::memory();
    let content = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let id = server.create("a", 2 * C).await.id;
    let chunks = [
        chunk(id, layout, 1, &content),
        chunk(id, layout, 0, &content),
    ];
    let mut body = pack("s", 0, &chunks);
    body.truncate(body.len() - 1);
    let answer = server.send(post("/packs", frames(vec![body]))).await;
    assert_eq!(answer.error(), (400, ErrorCode::InvalidRequest));
    assert_eq!(server.received(id).await, [ByteRange::new(C, 2 * C)]);
    // The torn chunk left no lease behind: another sender may write it at once.
    let rest = pack("another", 0, &[chunk(id, layout, 0, &content)]);
    let response: PackResponse = server.send(post("/packs", rest)).await.json();
    assert_eq!(response.receipts.len(), 1);
}

#[tokio::test]
async fn two_pages_that_send_the_same_chunk_do_not_disturb_each_other() {
    let server = Server::memory();
    let content = bytes(C);
    let layout = ChunkLayout::new(C, C).unwrap();
    let id = server.create("a", C).await.id;
    // The first page has sent half of its chunk and goes on when told to.
    let body = pack("one", 0, &[chunk(id, layout, 0, &content)]);
    let (head, tail) = body.split_at(body.len() - C as usize / 2);
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let (head, tail) = (head.to_vec(), tail.to_vec());
    let halves = futures_util::stream::unfold(
        (Some(head), Some(tail), Some(wait)),
        |(head, tail, wait)| async move {
            if let Some(head) = head {
                return Some((Ok::<_, std::io::Error>(head), (None, tail, wait)));
            }
            wait?.await.unwrap();
            tail.map(|tail| (Ok(tail), (None, None, None)))
        },
    );
    let router = server.router.clone();
    let first = tokio::spawn(async move {
        let request = post("/packs", Body::from_stream(halves));
        tower::ServiceExt::oneshot(router, request)
            .await
            .unwrap()
            .status()
    });
    while server.store.received_bytes() < C / 2 {
        tokio::task::yield_now().await;
    }
    let second = pack("two", 0, &[chunk(id, layout, 0, &content)]);
    let response: PackResponse = server.send(post("/packs", second.clone())).await.json();
    let ChunkResult::Refused(body) = &response.results[0] else {
        panic!("{response:?}")
    };
    assert_eq!(body.code, ErrorCode::InFlight);
    assert!(body.retry_after_ms.is_some());
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap(), 200);
    assert!(matches!(
        server.status(id).await,
        UploadStatus::Finished { .. }
    ));
    let response: PackResponse = server.send(post("/packs", second)).await.json();
    assert_eq!(is_acknowledged(&response), [true]);
    assert_eq!(response.receipts.len(), 1);
}

#[tokio::test]
async fn a_full_house_is_said_at_once_and_passes() {
    let config = hoist_axum::HttpConfig {
        transfers: 1,
        ..hoist_axum::HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    let id = server.create("a", 1).await.id;
    let layout = ChunkLayout::new(1, C).unwrap();
    let (begin, begun) = tokio::sync::oneshot::channel::<()>();
    let (hold, held) = tokio::sync::oneshot::channel::<()>();
    let endless = futures_util::stream::once(async move {
        begin.send(()).unwrap();
        let _ = held.await;
        Ok::<_, std::io::Error>(Vec::new())
    });
    let router = server.router.clone();
    let first = tokio::spawn(async move {
        let request = post("/packs", Body::from_stream(endless));
        tower::ServiceExt::oneshot(router, request)
            .await
            .unwrap()
            .status()
    });
    begun.await.unwrap();
    let body = pack("s", 0, &[chunk(id, layout, 0, b"x")]);
    let answer = server.send(post("/packs", body)).await;
    assert_eq!(answer.error(), (503, ErrorCode::Unavailable));
    hold.send(()).unwrap();
    assert_eq!(first.await.unwrap(), 400);
    assert_eq!(
        server
            .pack(&[chunk(id, layout, 0, b"x")])
            .await
            .receipts
            .len(),
        1
    );
}

#[tokio::test]
async fn who_hardly_moves_gives_way_to_who_comes_and_keeps_what_was_whole() {
    let config = hoist_axum::HttpConfig {
        transfers: 1,
        ..hoist_axum::HttpConfig::default()
    };
    let server = Server::with(config, StoreConfig::default());
    let (slow, quick) = (
        server.create("slow", 2 * C).await.id,
        server.create("quick", 1).await.id,
    );
    let all = bytes(2 * C);
    let layout = ChunkLayout::new(2 * C, C).unwrap();
    let body = pack(
        "s",
        0,
        &[chunk(slow, layout, 0, &all), chunk(slow, layout, 1, &all)],
    );
    // One whole chunk and a bit, then nothing more, but it is not over.
    let part = body[..body.len() - C as usize + 10].to_vec();
    let stream = futures_util::stream::once(async move { Ok::<_, std::io::Error>(part) });
    let stream = futures_util::StreamExt::chain(stream, futures_util::stream::pending());
    let router = server.router.clone();
    let first = tokio::spawn(async move {
        let request = post("/packs", Body::from_stream(stream));
        tower::ServiceExt::oneshot(router, request)
            .await
            .unwrap()
            .status()
    });
    while server.received(slow).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let layout = ChunkLayout::new(1, C).unwrap();
    let quick = [chunk(quick, layout, 0, b"x")];
    let answer = server.send(post("/packs", pack("q", 0, &quick))).await;
    assert_eq!(answer.error(), (503, ErrorCode::Unavailable));
    server.pass(3_600_000);
    assert_eq!(server.pack(&quick).await.receipts.len(), 1);
    assert_eq!(first.await.unwrap(), 503);
    assert_eq!(server.received(slow).await, [ByteRange::new(0, C)]);
}
