//! What holds the queue, and the person's pauses.

use expect_test::expect;

use super::check;

#[test]
fn offline_stops_and_online_asks_at_once() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        offline
        wait 10min
        online
        run",
        expect![[r#"
            > add a 2c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > offline
              abort #1
              · paused: Waiting for the network
            > wait 10min
            > online
              status #2 a
              · resumed
            > run
              hash a:0-1
              pack #3 a:0-1 (attempt 1)
              · chunk a:0-1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn offline_never_overrules_the_person() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        pause all
        offline
        online
        wait 10min",
        expect![[r#"
            > add a 2c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > pause all
              abort #1
              · paused: Paused
            > offline
            > online
            > wait 10min
            = a 0c/2c paused
        "#]],
    );
}

#[test]
fn who_does_not_want_to_wait_need_not_and_what_is_paused_stays_so() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        pause b
        lost 1
        lost 2
        try now",
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
            > pause b
            > lost 1
              probe a
              · retry a
              probe b
              · retry b
              status #2 a
            > lost 2
            > try now
              status #3 a
            = a 0c/1c checking
            = b 0c/1c paused
        "#]],
    );
}

#[test]
fn a_pause_of_everything_ends_with_a_cancel_of_everything() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        pause all
        cancel all
        run
        add b 1c
        wait 20ms",
        expect![[r#"
            > add a 2c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > pause all
              abort #1
              · paused: Paused
            > cancel all
              delete #2 a
              · resumed
            > run
              · cancelled a
              · complete
            > add b 1c
              · added b
            > wait 20ms
              create #3 b
            = a 0c/2c cancelled
            = b 0c/1c checking
        "#]],
    );
}

#[test]
fn a_pause_aborts_and_a_resume_asks_before_it_sends() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        pause a
        wait 10min
        resume a
        run",
        expect![[r#"
            > add a 2c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > pause a
              abort #1
            > wait 10min
            > resume a
              status #2 a
            > run
              hash a:0-1
              pack #3 a:0-1 (attempt 1)
              · chunk a:0-1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn a_pack_that_others_share_is_not_aborted_by_one_pause() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        pause a
        ok 1
        resume a
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
            > pause a
            > ok 1
              · chunk a:0
              · chunk b:0
              · success a
              · success b
              · complete
            > resume a
            > run
            = a 1c/1c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn a_file_added_while_all_is_paused_stays_paused() {
    check(
        "pause all
        add a 1c
        wait 10min
        add b 1c
        resume b
        wait 1s
        run",
        expect![[r#"
            > pause all
              · paused: Paused
            > add a 1c
              · added a
            > wait 10min
            > add b 1c
              · added b
            > resume b
              create #0 b
            > wait 1s
            > run
              hash b:0
              · started b
              pack #1 b:0
              · chunk b:0
              · success b
            = a 0c/1c paused
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn resume_all_ends_single_pauses_too() {
    check(
        "add a 1c
        pause a
        add b 1c
        pause all
        resume all
        run",
        expect![[r#"
            > add a 1c
              · added a
            > pause a
            > add b 1c
              · added b
            > pause all
              · paused: Paused
            > resume all
              · resumed
            > run
              create #0 a b
              hash a:0
              hash b:0
              · started a
              · started b
              pack #1 a:0 b:0
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
fn a_paused_file_does_not_block_the_others() {
    check(
        "add a 2c
        add b 1c
        wait 20ms
        pause a
        ok 0
        run",
        expect![[r#"
            > add a 2c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > pause a
            > ok 0
              hash b:0
              · started b
              pack #1 b:0
            > run
              · chunk b:0
              · success b
            = a 0c/2c paused
            = b 1c/1c done as b
        "#]],
    );
}
