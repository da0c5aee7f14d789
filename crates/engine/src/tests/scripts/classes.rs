//! Every class of the table of errors, on every call: one file, as the table is one. Long because what each script prints stands
//! beside it.

use expect_test::expect;

use super::{check, language::check_with};

#[test]
fn refused_in_a_create_fails_with_the_servers_words() {
    check(
        "add a 1c
        wait 20ms
        refuse 0 forbidden
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > refuse 0 forbidden
              · error a forbidden: the server says forbidden
              · complete
            > wait 10min
            = a 0c/1c failed: the server says forbidden
        "#]],
    );
}

#[test]
fn refused_for_one_of_many_splits_the_create_until_the_culprit_stands_alone() {
    check(
        "add a 1c
        add b 1c
        add c 1c
        wait 20ms
        refuse 0 invalid_request
        refuse 1 invalid_request
        ok 2
        run",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > add c 1c
              · added c
            > wait 20ms
              create #0 a b c
            > refuse 0 invalid_request
              create #1 a
              create #2 b c
            > refuse 1 invalid_request
              · error a invalid_request: the server says invalid_request
            > ok 2
              hash b:0
              hash c:0
              · started b
              · started c
              pack #3 b:0 c:0
            > run
              · chunk b:0
              · chunk c:0
              · success b
              · success c
              · complete
            = a 0c/1c failed: the server says invalid_request
            = b 1c/1c done as b
            = c 1c/1c done as c
        "#]],
    );
}

#[test]
fn refused_in_a_chunk_fails_that_file_alone() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        refuse-chunk 1 0 type_not_allowed
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
            > refuse-chunk 1 0 type_not_allowed
              · chunk b:0
              · success b
              · error a type_not_allowed: the server says type_not_allowed
              · complete
            > run
            = a 0c/1c failed: the server says type_not_allowed
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn refused_as_a_whole_pack_is_split_and_then_believed() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        refuse 1 invalid_request
        ok 2
        wait 300ms
        refuse 3 invalid_request
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
            > refuse 1 invalid_request
              · retry a
              · retry b
              status #2 a b
            > ok 2
              hash a:0
              hash b:0
              pack #3 a:0
              pack #4 b:0
            > wait 300ms
            > refuse 3 invalid_request
              · error a invalid_request: the server says invalid_request
            > run
              · chunk b:0
              · success b
              · complete
            = a 0c/1c failed: the server says invalid_request
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn sign_in_pauses_everything_and_asks_once() {
    check(
        "add a 2c
        add b 1c
        wait 20ms
        ok 0
        refuse 1 visitor_unknown
        wait 10min
        signed-in
        run",
        expect![[r#"
            > add a 2c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > ok 0
              hash a:0-1
              hash b:0
              · started a
              · started b
              pack #1 a:0-1 b:0
            > refuse 1 visitor_unknown
              · retry a
              · retry b
              · paused: Waiting for you to sign in
            > wait 10min
            > signed-in
              status #2 a b
              · resumed
            > run
              hash a:0-1
              hash b:0
              pack #3 a:0-1 b:0
              · chunk a:0-1
              · chunk b:0
              · success a
              · success b
              · complete
            = a 2c/2c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn sign_in_on_create_waits_too() {
    check(
        "add a 1c
        wait 20ms
        refuse 0 unauthorized
        add b 1c
        wait 1min
        signed-in
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > refuse 0 unauthorized
              · paused: Waiting for you to sign in
            > add b 1c
              · added b
            > wait 1min
            > signed-in
              create #1 a
              · resumed
            > run
              create #2 b
              hash a:0
              · started a
              pack #3 a:0
              hash b:0
              · started b
              pack #4 b:0
              · chunk a:0
              · success a
              · chunk b:0
              · success b
              · complete
            = a 1c/1c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn gone_is_created_anew_once() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        forget-upload a
        ok 1
        wait 20ms
        ok 2
        forget-upload a
        ok 3
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
            > forget-upload a
            > ok 1
              · retry a
            > wait 20ms
              create #2 a
            > ok 2
              hash a:0-1
              pack #3 a:0-1
            > forget-upload a
            > ok 3
              · error a: The server lost this upload more than once.
              · complete
            > wait 10min
            = a 0c/2c failed: The server lost this upload more than once.
        "#]],
    );
}

#[test]
fn gone_after_progress_is_created_anew_again() {
    check_with(
        |config| config.read_ahead = 64 << 10,
        "add a 3c
        wait 20ms
        ok 0
        forget-upload a
        ok 1
        wait 20ms
        ok 2
        ok 3
        forget-upload a
        ok 4
        wait 20ms
        run",
        expect![[r#"
            > add a 3c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0
              · started a
              pack #1 a:0
            > forget-upload a
            > ok 1
              · retry a
            > wait 20ms
              create #2 a
            > ok 2
              hash a:0
              pack #3 a:0
            > ok 3
              · chunk a:0
              hash a:1
              pack #4 a:1
            > forget-upload a
            > ok 4
              · retry a
            > wait 20ms
              create #5 a
            > run
              hash a:0
              pack #6 a:0
              · chunk a:0
              hash a:1
              pack #7 a:1
              · chunk a:1
              hash a:2
              pack #8 a:2
              · chunk a:2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_damaged_chunk_is_hashed_and_sent_again() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        damage 1 1
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
            > damage 1 1
              · chunk a:0
              · retry a
              status #2 a
            > run
              hash a:1
              pack #3 a:1
              · chunk a:1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn a_chunk_that_is_always_damaged_is_given_up_after_some_times() {
    check_with(
        |config| config.retry.mismatches = 2,
        "add a 1c
        wait 20ms
        ok 0
        damage 1 0
        ok 2
        damage 3 0
        ok 4
        damage 5 0
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0
              · started a
              pack #1 a:0
            > damage 1 0
              · retry a
              status #2 a
            > ok 2
              hash a:0
              pack #3 a:0
            > damage 3 0
              · retry a
              status #4 a
            > ok 4
              hash a:0
              pack #5 a:0
            > damage 5 0
              · error a checksum_mismatch: The bytes arrived damaged several times, so the file was given up.
              · complete
            > wait 10min
            = a 0c/1c failed: The bytes arrived damaged several times, so the file was given up.
        "#]],
    );
}

#[test]
fn a_chunk_conflict_is_a_changed_file() {
    check(
        "add a 2c content 1
        wait 20ms
        ok 0
        has a 2c 0-0 content 2
        ok 1
        run",
        expect![[r#"
            > add a 2c content 1
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > has a 2c 0-0 content 2
            > ok 1
              · chunk a:1
              compare a:0-1
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            > run
            = a 1c/2c file changed
        "#]],
    );
}

#[test]
fn wait_in_a_chunk_asks_for_the_status_after_the_time_is_over() {
    check(
        "add a 2c
        add b 1c
        wait 20ms
        ok 0
        refuse-chunk 1 0 in_flight 3s
        wait 2900ms
        wait 10min
        run",
        expect![[r#"
            > add a 2c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > ok 0
              hash a:0-1
              hash b:0
              · started a
              · started b
              pack #1 a:0-1 b:0
            > refuse-chunk 1 0 in_flight 3s
              · chunk a:1
              · chunk b:0
              · success b
              · retry a
            > wait 2900ms
            > wait 10min
              status #2 a
              abort #2
              status #3 a
              abort #3
              status #4 a
              abort #4
              status #5 a
              abort #5
              status #6 a
              abort #6
              status #7 a
              abort #7
              status #8 a
              abort #8
              … 5 more
            > run
              hash a:0
              pack #12 a:0
              · chunk a:0
              · success a
              · complete
            = a 2c/2c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn wait_as_a_whole_backs_off_at_least_as_long_as_the_server_asks() {
    check(
        "add a 1c
        wait 20ms
        refuse 0 unavailable 5s
        wait 4900ms
        wait 700ms
        ok 1
        refuse 2 internal 5s
        ok 3
        wait 4900ms
        wait 800ms
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > refuse 0 unavailable 5s
            > wait 4900ms
            > wait 700ms
              create #1 a
            > ok 1
              hash a:0
              · started a
              pack #2 a:0
            > refuse 2 internal 5s
              · retry a
              status #3 a
            > ok 3
            > wait 4900ms
            > wait 800ms
              hash a:0
              pack #4 a:0 (attempt 1)
            > run
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn rate_limited_holds_the_whole_queue() {
    check(
        "add a 1c
        wait 20ms
        ok 0
        refuse 1 rate_limited 10s
        add b 1c
        wait 9900ms
        wait 700ms
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0
              · started a
              pack #1 a:0
            > refuse 1 rate_limited 10s
              · retry a
              · paused: The server asked to slow down
            > add b 1c
              · added b
            > wait 9900ms
            > wait 700ms
              status #2 a
              create #3 b
              · resumed
            > run
              hash a:0
              pack #4 a:0
              hash b:0
              · started b
              pack #5 b:0
              · chunk a:0
              · success a
              · chunk b:0
              · success b
              · complete
            = a 1c/1c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn a_full_disk_pauses_and_is_tried_again_slowly() {
    check(
        "add a 1c
        wait 20ms
        ok 0
        refuse 1 storage_full
        wait 29s
        wait 2s
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0
              · started a
              pack #1 a:0
            > refuse 1 storage_full
              · retry a
              status #2 a
              · paused: No room left
            > wait 29s
            > wait 2s
              · resumed
            > run
              hash a:0
              pack #3 a:0
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_file_that_does_not_fit_waits_alone() {
    check(
        "add a 1c
        wait 20ms
        refuse 0 quota_exceeded
        wait 29s
        wait 2s
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > refuse 0 quota_exceeded
              · paused: No room left
            > wait 29s
            > wait 2s
              create #1 a
              · resumed
            > run
              hash a:0
              · started a
              pack #2 a:0
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_proxys_413_halves_the_pack_until_one_chunk_and_then_is_said() {
    check(
        "add a 4c
        wait 20ms
        ok 0
        fail 1 413
        ok 2
        wait 1s
        fail 3 413
        ok 4
        wait 3s
        fail 5 413
        ok 6
        wait 5s
        fail 7 413
        run",
        expect![[r#"
            > add a 4c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-3
              · started a
              pack #1 a:0-3
            > fail 1 413
              · retry a
              status #2 a
            > ok 2
            > wait 1s
              hash a:0-3
              pack #3 a:0-1 (attempt 1)
            > fail 3 413
              forget a
              · retry a
              status #4 a
            > ok 4
            > wait 3s
              hash a:0-3
              pack #5 a:0 (attempt 2)
            > fail 5 413
              forget a
              · retry a
              status #6 a
            > ok 6
            > wait 5s
              hash a:0-3
              pack #7 a:0 (attempt 3)
            > fail 7 413
              forget a
              · error a: Something between this page and the server (a proxy) refuses requests of 65.5 kB, with status 413. It has to allow larger ones (in nginx: client_max_body_size).
              · complete
            > run
            = a 0c/4c failed: Something between this page and the server (a proxy) refuses requests of 65.5 kB, with status 413. It has to allow larger ones (in nginx: client_max_body_size).
        "#]],
    );
}

#[test]
fn a_proxys_413_that_ends_at_a_size_is_no_failure() {
    check(
        "add a 4c
        wait 20ms
        ok 0
        fail 1 413
        run",
        expect![[r#"
            > add a 4c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-3
              · started a
              pack #1 a:0-3
            > fail 1 413
              · retry a
              status #2 a
            > run
              hash a:0-3
              pack #3 a:0-1 (attempt 1)
              · chunk a:0-1
              pack #4 a:2-3 (attempt 1)
              · chunk a:2-3
              · success a
              · complete
            = a 4c/4c done as a
        "#]],
    );
}

#[test]
fn a_gateway_that_has_lost_its_server_is_believed_only_after_tries_that_reached_it() {
    check_with(
        |config| config.retry.proxy_refusals = 2,
        "add a 1c
        wait 20ms
        ok 0
        fail 1 502
        fail 2 502
        wait 1s
        fail 3 502
        wait 1s
        ok 4
        wait 1s
        fail 5 504
        ok 6
        wait 2s
        fail 7 502
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0
              · started a
              pack #1 a:0
            > fail 1 502
              · retry a
              status #2 a
            > fail 2 502
            > wait 1s
              status #3 a
            > fail 3 502
            > wait 1s
              status #4 a
            > ok 4
              hash a:0
              pack #5 a:0 (attempt 1)
            > wait 1s
            > fail 5 504
              · retry a
              status #6 a
            > ok 6
            > wait 2s
              hash a:0
              pack #7 a:0 (attempt 2)
            > fail 7 502
              · error a: Something between this page and the server (a proxy) refuses requests of 65.5 kB, with status 502.
              · complete
            > wait 10min
            = a 0c/1c failed: Something between this page and the server (a proxy) refuses requests of 65.5 kB, with status 502.
        "#]],
    );
}

#[test]
fn a_foreign_wait_waits_and_a_foreign_refusal_is_said_in_our_words() {
    check(
        "add a 1c
        wait 20ms
        fail 0 503 4s
        wait 3900ms
        wait 700ms
        ok 1
        fail 2 403
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > fail 0 503 4s
            > wait 3900ms
            > wait 700ms
              create #1 a
            > ok 1
              hash a:0
              · started a
              pack #2 a:0
            > fail 2 403
              · error a: The server, or something in front of it, refused this with status 403.
              · complete
            > wait 10min
            = a 0c/1c failed: The server, or something in front of it, refused this with status 403.
        "#]],
    );
}

#[test]
fn a_wrong_address_fails_all_files_at_once() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        fail 0 404
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > fail 0 404
              · error a: The server, or something in front of it, refused this with status 404.
              · error b: The server, or something in front of it, refused this with status 404.
              · complete
            > wait 10min
            = a 0c/1c failed: The server, or something in front of it, refused this with status 404.
            = b 0c/1c failed: The server, or something in front of it, refused this with status 404.
        "#]],
    );
}

#[test]
fn no_answer_probes_then_asks_then_sends_what_is_missing() {
    check(
        "add a 3c
        wait 20ms
        ok 0
        cut 1 2
        run",
        expect![[r#"
            > add a 3c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-2
              · started a
              pack #1 a:0-2
            > cut 1 2
              probe a
              · retry a
              status #2 a
            > run
              checksums #3 a from 0 ≤4096
              compare a:0-1
              hash a:2
              pack #4 a:2 (attempt 1)
              · chunk a:2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_lost_answer_may_have_finished_the_file() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        unanswered 1
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
            > unanswered 1
              probe a
              · retry a
              status #2 a
            > run
              compare a:0-1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn an_unreadable_file_of_a_pack_fails_alone() {
    check(
        "add a 1c
        add b 1c
        add c 1c
        wait 20ms
        ok 0
        unreadable b
        lost 1
        run",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > add c 1c
              · added c
            > wait 20ms
              create #0 a b c
            > ok 0
              hash a:0
              hash b:0
              hash c:0
              · started a
              · started b
              · started c
              pack #1 a:0 b:0 c:0
            > unreadable b
            > lost 1
              probe a
              · retry a
              probe b
              · retry b
              probe c
              · retry c
              status #2 a
              · error b: The file cannot be read any more. It may have been moved, changed or deleted.
              status #3 c
            > run
              hash a:0
              hash c:0
              pack #4 a:0 (attempt 1)
              · chunk a:0
              · success a
              pack #5 c:0 (attempt 1)
              · chunk c:0
              · success c
              · complete
            = a 1c/1c done as a
            = b 0c/1c failed: The file cannot be read any more. It may have been moved, changed or deleted.
            = c 1c/1c done as c
        "#]],
    );
}

#[test]
fn a_file_that_changes_while_it_is_sent_says_so() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        ok 0
        changed b
        lost 1
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
            > changed b
            > lost 1
              probe a
              · retry a
              probe b
              · retry b
              status #2 a
              · error b: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
            > run
              hash a:0
              pack #3 a:0 (attempt 1)
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
            = b 0c/1c file changed
        "#]],
    );
}

#[test]
fn a_file_that_cannot_be_read_fails_before_anything_is_sent() {
    check(
        "add a 1c
        unreadable a
        run",
        expect![[r#"
            > add a 1c
              · added a
            > unreadable a
            > run
              create #0 a
              hash a:0
              forget a
              probe a
              · error a: The file cannot be read any more. It may have been moved, changed or deleted.
              · complete
            = a 0c/1c failed: The file cannot be read any more. It may have been moved, changed or deleted.
        "#]],
    );
}

#[test]
fn the_network_may_be_away_for_hours() {
    check(
        "add a 1c
        wait 20ms
        lost 0
        wait 1s
        lost 1
        wait 1s
        lost 2
        wait 3s
        lost 3
        wait 10min
        lost 4
        wait 10min
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > lost 0
            > wait 1s
              create #1 a
            > lost 1
            > wait 1s
              create #2 a
            > lost 2
            > wait 3s
              create #3 a
            > lost 3
            > wait 10min
              create #4 a
              abort #4
              create #5 a
              abort #5
              create #6 a
              abort #6
              create #7 a
              abort #7
              create #8 a
              abort #8
              create #9 a
              abort #9
              create #10 a
              abort #10
              … 3 more
            > lost 4
            > wait 10min
              abort #12
              create #13 a
              abort #13
              create #14 a
              abort #14
              create #15 a
              abort #15
              create #16 a
              abort #16
              create #17 a
              abort #17
              create #18 a
              abort #18
              create #19 a
              … 2 more
            > run
              hash a:0
              · started a
              pack #21 a:0
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_file_that_always_breaks_its_request_ends_up_alone_and_the_others_arrive() {
    check(
        "many 20 1000
        wait 20ms
        ok 0
        lost 1
        wait 1s
        ok 2
        wait 1s
        lost 3
        ok 4
        wait 1s
        ok 5
        wait 3s
        run",
        expect![[r#"
            > many 20 1000
              · added f0
              · added f1
              · added f2
              · added f3
              · added f4
              · added f5
              · added f6
              · added f7
              · added f8
              · added f9
              · added f10
              · added f11
              · added f12
              · added f13
              … 6 more
            > wait 20ms
              create #0 f0 f1 f2 … 20 in all
            > ok 0
              hash f0:0
              hash f1:0
              hash f2:0
              hash f3:0
              hash f4:0
              hash f5:0
              hash f6:0
              hash f7:0
              hash f8:0
              hash f9:0
              hash f10:0
              hash f11:0
              hash f12:0
              hash f13:0
              … 27 more
            > lost 1
              probe f0
              · retry f0
              probe f1
              · retry f1
              probe f2
              · retry f2
              probe f3
              · retry f3
              probe f4
              · retry f4
              probe f5
              · retry f5
              probe f6
              · retry f6
              … 28 more
            > wait 1s
            > ok 2
              status #4 f2 f3 f4 … 18 in all
              hash f0:0
              pack #5 f0:0 (attempt 1)
            > wait 1s
            > lost 3
            > ok 4
              hash f2:0
              hash f3:0
              hash f4:0
              hash f5:0
              hash f6:0
              hash f7:0
              hash f8:0
              hash f9:0
              hash f10:0
              hash f11:0
              hash f12:0
              hash f13:0
              hash f14:0
              hash f15:0
              … 4 more
            > wait 1s
              status #6 f1
            > ok 5
              · chunk f0:0
              · success f0
              pack #7 f2:0 f3:0 f4:0 f5:0 f6:0 (attempt 1)
            > wait 3s
            > run
              hash f1:0
              · chunk f2:0
              · chunk f3:0
              · chunk f4:0
              · chunk f5:0
              · chunk f6:0
              · success f2
              · success f3
              · success f4
              · success f5
              · success f6
              pack #8 f1:0 f7:0 f8:0 f9:0 f10:0 (attempt 1)
              · chunk f1:0
              · chunk f7:0
              … 29 more
            = f0 1000/1000 done as f0
            = f1 1000/1000 done as f1
            = f2 1000/1000 done as f2
            = f3 1000/1000 done as f3
            = f4 1000/1000 done as f4
            = f5 1000/1000 done as f5
            = f6 1000/1000 done as f6
            = f7 1000/1000 done as f7
            = f8 1000/1000 done as f8
            = f9 1000/1000 done as f9
            = f10 1000/1000 done as f10
            = f11 1000/1000 done as f11
            = … 8 more
        "#]],
    );
}

#[test]
fn a_request_without_progress_is_given_up_as_stalled() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        wait 20s
        claim 1 1c
        wait 29s
        wait 1s
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
            > wait 20s
            > claim 1 1c
            > wait 29s
            > wait 1s
              abort #1
              · stalled
              probe a
              · retry a
              status #2 a
            > run
              hash a:0-1
              pack #3 a:0 (attempt 1)
              · chunk a:0
              pack #4 a:1 (attempt 1)
              · chunk a:1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn a_request_whose_bytes_are_taken_forever_is_given_up_all_the_same() {
    // A byte every 29 seconds: each renews the patience of 30 seconds, and after 16 times that it
    // is over.
    let claims: String = (1..=18)
        .map(|n| format!("        wait 29s\n        claim 1 {}\n", 1_000 + n))
        .collect();
    check(
        &format!("add a 2c\n        wait 20ms\n        ok 0\n{claims}        run"),
        expect![[r#"
            > add a 2c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-1
              · started a
              pack #1 a:0-1
            > wait 29s
            > claim 1 1001
            > wait 29s
            > claim 1 1002
            > wait 29s
            > claim 1 1003
            > wait 29s
            > claim 1 1004
            > wait 29s
            > claim 1 1005
            > wait 29s
            > claim 1 1006
            > wait 29s
            > claim 1 1007
            > wait 29s
            > claim 1 1008
            > wait 29s
            > claim 1 1009
            > wait 29s
            > claim 1 1010
            > wait 29s
            > claim 1 1011
            > wait 29s
            > claim 1 1012
            > wait 29s
            > claim 1 1013
            > wait 29s
            > claim 1 1014
            > wait 29s
            > claim 1 1015
            > wait 29s
            > claim 1 1016
            > wait 29s
              abort #1
              · stalled
              probe a
              · retry a
              status #2 a
            > claim 1 1017
            > wait 29s
            > claim 1 1018
            > run
              hash a:0-1
              pack #3 a:0 (attempt 1)
              · chunk a:0
              pack #4 a:1 (attempt 1)
              · chunk a:1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn a_small_call_without_an_answer_is_repeated() {
    check(
        "add a 1c
        wait 20ms
        wait 1min
        wait 1s
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > wait 1min
              abort #0
            > wait 1s
              create #1 a
            > run
              hash a:0
              · started a
              pack #2 a:0
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}
