//! Files that simply go.

use expect_test::expect;
use hoist_protocol::OnConflict;

use super::{
    super::bench::{Bench, config},
    check,
    language::check_with,
};
use crate::{Action, Picked};

#[test]
fn one_file_is_created_hashed_sent_and_done() {
    check(
        "add a 3c
        wait 20ms
        ok 0
        claim 1 2c
        ok 1",
        expect![[r#"
            > add a 3c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-2
              · started a
              pack #1 a:0-2
            > claim 1 2c
            > ok 1
              · chunk a:0-2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_thousand_small_files_travel_in_one_create_and_a_few_packs() {
    let mut bench = Bench::new(config());
    for n in 0..1000 {
        let file = Picked {
            name: format!("f{n}"),
            size: 10_000,
            ..Picked::default()
        };
        bench.add(file, n);
    }
    bench.run();
    let count = |is_it: fn(&Action) -> bool| bench.log.iter().filter(|a| is_it(a)).count();
    assert_eq!(count(|action| matches!(action, Action::Create { .. })), 1);
    let packs = count(|action| matches!(action, Action::SendPack { .. }));
    assert!((2..=12).contains(&packs), "10 MB in {packs} packs");
    assert_eq!(bench.server.received_bytes, 10_000_000);
    assert_eq!(bench.engine.snapshot().totals.finished, 1000);
}

#[test]
fn the_next_create_goes_out_while_the_first_is_under_way() {
    check(
        "limit batch 2
        add a 1c
        add b 1c
        add c 1c
        add d 1c
        add e 1c
        ok 1
        ok 0
        wait 300ms",
        expect![[r#"
            > limit batch 2
            > add a 1c
              · added a
            > add b 1c
              · added b
              create #0 a b
            > add c 1c
              · added c
            > add d 1c
              · added d
              create #1 c d
            > add e 1c
              · added e
            > ok 1
              hash c:0
              hash d:0
              · started c
              · started d
              pack #2 c:0 d:0
            > ok 0
              hash a:0
              hash b:0
              · started a
              · started b
              pack #3 a:0 b:0
            > wait 300ms
              create #4 e
            = a 0c/1c uploading
            = b 0c/1c uploading
            = c 0c/1c uploading
            = d 0c/1c uploading
            = e 0c/1c checking
        "#]],
    );
}

#[test]
fn what_is_there_is_not_sent_and_not_an_error() {
    check(
        "has a 2c
        add a 2c
        add b 1c
        run",
        expect![[r#"
            > has a 2c
            > add a 2c
              · added a
            > add b 1c
              · added b
            > run
              create #0 a b
              · skipped a
              hash b:0
              · started b
              pack #1 b:0
              · chunk b:0
              · success b
              · complete
            = a 2c/2c already there
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn an_empty_file_and_a_folder_are_done_by_create_and_already_there_later() {
    check(
        "add a 0
        add b 0 in x directory
        run
        add a 0
        run",
        expect![[r#"
            > add a 0
              · added a
            > add b 0 in x directory
              · added b
            > run
              create #0 a b
              · success a
              · success b
              · complete
            > add a 0
              · replaced a(0) by a(2)
              · added a(2)
            > run
              create #1 a
              · skipped a(2)
              · complete
            = b 0c/0c done as b
            = a(2) 0c/0c already there
        "#]],
    );
}

#[test]
fn nothing_starts_by_itself_if_it_must_not() {
    check_with(
        |config| config.auto_start = false,
        "add a 1c
        wait 5s
        start
        wait 20ms
        run
        add b 1c
        wait 5s",
        expect![[r#"
            > add a 1c
              · added a
            > wait 5s
            > start
              create #0 a
            > wait 20ms
            > run
              hash a:0
              · started a
              pack #1 a:0
              · chunk a:0
              · success a
              · complete
            > add b 1c
              · added b
            > wait 5s
            = a 1c/1c done as a
            = b 0c/1c waiting
        "#]],
    );
}

#[test]
fn a_name_that_is_taken_waits_for_the_person() {
    check_with(
        |config| config.on_conflict = OnConflict::Ask,
        "has a 2c content 1
        has b 2c content 1
        add a 3c content 2
        add b 3c content 2
        run
        resolve a keep
        resolve b skip
        run",
        expect![[r#"
            > has a 2c content 1
            > has b 2c content 1
            > add a 3c content 2
              · added a
            > add b 3c content 2
              · added b
            > run
              create #0 a b
              · conflict a
              · conflict b
              · complete
            > resolve a keep
            > resolve b skip
              · cancelled b
            > run
              create #1 a
              hash a:0-2
              · started a
              pack #2 a:0-2
              · chunk a:0-2
              · success a
              · complete
            = a 3c/3c done as a
            = b 0c/3c cancelled
        "#]],
    );
}

#[test]
fn the_same_file_is_not_added_twice_while_it_is_under_way() {
    check(
        "add a 1c
        add a 1c
        add a 1c in folder
        add a 1c at 6
        run",
        expect![[r#"
            > add a 1c
              · added a
            > add a 1c
              · duplicate a(1) of a(0)
            > add a 1c in folder
              · added a(2)
            > add a 1c at 6
              · added a(3)
            > run
              create #0 a a a
              hash a(0):0
              hash a(2):0
              hash a(3):0
              · started a(0)
              · started a(2)
              · started a(3)
              pack #1 a(0):0 a(2):0 a(3):0
              · chunk a(0):0
              · chunk a(2):0
              · chunk a(3):0
              · success a(0)
              · success a(2)
              · success a(3)
              … 1 more
            = a(0) 1c/1c done as a
            = a(2) 1c/1c done as a
            = a(3) 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_finished_file_that_is_added_again_is_asked_for_again() {
    check(
        "add a 1c
        run
        add a 1c
        run",
        expect![[r#"
            > add a 1c
              · added a
            > run
              create #0 a
              hash a:0
              · started a
              pack #1 a:0
              · chunk a:0
              · success a
              · complete
            > add a 1c
              · replaced a(0) by a(1)
              · added a(1)
            > run
              create #2 a
              · skipped a(1)
              · complete
            = a(1) 1c/1c already there
        "#]],
    );
}

#[test]
fn a_cancel_is_no_way_round_a_restriction() {
    check_with(
        |config| config.restrictions.max_file_size = Some(100_000),
        "add a 2c
        cancel a
        retry a
        cancel all
        retry a
        run",
        expect![[r#"
            > add a 2c
              · not taken a: The file is larger than 100 kB.
            > cancel a
            > retry a
            > cancel all
            > retry a
            > run
            = a 0c/2c failed: The file is larger than 100 kB.
        "#]],
    );
}

#[test]
fn restrictions_refuse_before_the_server_is_asked() {
    check_with(
        |config| {
            config.restrictions.max_file_size = Some(100_000);
            config.restrictions.max_files = Some(2);
        },
        "add a 2c
        add b 1c
        add c 1c
        add d 1c
        add d 1c
        cancel b
        retry d
        run",
        expect![[r#"
            > add a 2c
              · not taken a: The file is larger than 100 kB.
            > add b 1c
              · added b
            > add c 1c
              · added c
            > add d 1c
              · not taken d: At most 2 files can be added.
            > add d 1c
              · replaced d(3) by d(4)
              · not taken d(4): At most 2 files can be added.
            > cancel b
              · cancelled b
            > retry d
              · retry d(4)
            > run
              create #0 c d
              hash c:0
              hash d(4):0
              · started c
              · started d(4)
              pack #1 c:0 d(4):0
              · chunk c:0
              · chunk d(4):0
              · success c
              · success d(4)
              · complete
            = a 0c/2c failed: The file is larger than 100 kB.
            = b 0c/1c cancelled
            = c 1c/1c done as c
            = d(4) 1c/1c done as d
        "#]],
    );
}

#[test]
fn a_chunk_does_not_wait_for_a_file_that_is_read_slowly() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        hold-reads
        ok 0
        wait 10s
        read
        ok all",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > hold-reads
            > ok 0
              hash a:0
              hash b:0
            > wait 10s
            > read
              · started a
              · started b
              pack #1 a:0 b:0
            > ok all
              · chunk a:0
              · chunk b:0
              · success a
              · success b
              · complete
            = a 1c/1c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn a_file_of_an_unfitting_answer_fails_alone() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        refuse-chunk 1 0 not_supported
        run",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > ok 0
              hash a:0
              hash b:0
              · started a
              · started b
              pack #1 a:0 b:0
            > refuse-chunk 1 0 not_supported
              · chunk b:0
              · success b
              · error a not_supported: the server says not_supported
              · complete
            > run
            = a 0c/1c failed: the server says not_supported
            = b 1c/1c done as b
        "#]],
    );
}
