//! A proxy that refuses requests of one chunk.

use super::bench::{Bench, Fate, config};
use crate::{Action, Failure, Picked};
use hoist_protocol::FileState;

const MIB: u64 = 1 << 20;

fn picked(name: &str, size: u64) -> Picked {
    Picked {
        name: name.to_owned(),
        path: String::new(),
        size,
        last_modified: Some(1),
        media_type: None,
        is_directory: false,
    }
}

/// Refuses requests of more than `most` bytes of chunks, and how often it did. The server takes
/// the chunk size that is wished for.
fn run(bench: &mut Bench, most: u64) -> u32 {
    let mut refused = 0;
    for _ in 0..10_000 {
        bench.read_all();
        let Some((&request, action)) = bench.pending.first_key_value() else {
            let Some(at) = bench.engine.deadline() else {
                return refused;
            };
            bench.now = at;
            bench.handle(crate::Event::Tick);
            continue;
        };
        let fate = match action {
            Action::Create { body, .. } => {
                if let Some(wish) = body.files.first().and_then(|file| file.chunk_size) {
                    bench.server.chunk_size = wish;
                }
                Fate::Answered
            }
            Action::SendPack { parts, .. }
                if parts.iter().map(|(_, range)| range.len()).sum::<u64>() > most =>
            {
                refused += 1;
                Fate::Failed(Failure::Foreign {
                    status: 413,
                    retry_after_ms: None,
                })
            }
            _ => Fate::Answered,
        };
        bench.now = bench.now.plus(10);
        bench.end(request, fate);
    }
    panic!("it never ends");
}

#[test]
fn files_of_which_nothing_is_there_are_cut_smaller_all_at_once_until_a_proxy_lets_them_pass() {
    let mut bench = Bench::new(config());
    bench.server.chunk_size = MIB;
    let keys: Vec<_> = (0..50)
        .map(|i| bench.add(picked(&format!("{i}.bin"), 3 * MIB), i))
        .collect();
    // A chunk of 1 MiB with its manifest does not pass nginx as it comes.
    let refused = run(&mut bench, MIB - 300);
    for key in keys {
        assert!(matches!(
            bench.engine.snapshot().row(key).unwrap().state,
            FileState::Done(_)
        ));
    }
    assert_eq!(bench.server.chunk_size, MIB / 2);
    assert!(
        (1..12).contains(&refused),
        "{refused} refusals for 50 files"
    );
    assert!(
        bench
            .notices
            .iter()
            .all(|notice| !matches!(notice, crate::Notice::Error { .. }))
    );
}

#[test]
fn a_proxy_that_refuses_the_smallest_chunk_is_reported_with_what_to_set() {
    let mut bench = Bench::new(config());
    bench.server.chunk_size = MIB;
    let key = bench.add(picked("a", 3 * MIB), 1);
    let refused = run(&mut bench, 1000);
    let row = bench.engine.snapshot().row(key).unwrap();
    assert!(matches!(row.state, FileState::Failed { .. }));
    assert_eq!(bench.server.chunk_size, 64 << 10);
    assert!(refused < 20, "{refused}");
    let words = bench.notices.iter().find_map(|notice| match notice {
        crate::Notice::Error { words, .. } => Some(words.as_str()),
        _ => None,
    });
    assert!(words.unwrap().contains("requests of 65.5 kB, with status 413. It has to allow larger ones (in nginx: client_max_body_size)"));
}
