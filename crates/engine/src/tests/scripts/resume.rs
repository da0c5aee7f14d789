//! Going on from what the server has, and never splicing two files. Long because what each script prints stands beside it.

use expect_test::expect;

use super::{check, language::check_with};

#[test]
fn one_chunk_is_compared_before_the_first_new_one_and_all_before_the_last() {
    check(
        "has a 6c 0-2
        add a 6c
        wait 20ms
        ok 0
        hold-reads
        ok 1
        read one
        read one
        read one
        read one
        read one
        read one
        run",
        expect![[r#"
            > has a 6c 0-2
            > add a 6c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              checksums #1 a from 0 ≤4096
            > hold-reads
            > ok 1
              compare a:0-2
            > read one
              hash a:3-4
            > read one
            > read one
              hash a:5
            > read one
            > read one
            > read one
              · started a
              pack #2 a:3-5
            > run
              · chunk a:3-5
              · success a
              · complete
            = a 6c/6c done as a
        "#]],
    );
}

#[test]
fn a_mismatch_publishes_nothing_and_says_file_changed() {
    check(
        "has a 4c 0-1 content 1
        add a 4c content 2
        run",
        expect![[r#"
            > has a 4c 0-1 content 1
            > add a 4c content 2
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              compare a:0-1
              forget a
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            = a 2c/4c file changed
        "#]],
    );
}

#[test]
fn a_mismatch_in_the_last_compared_chunk_comes_before_the_last_chunk_is_sent() {
    // Chunk 2 on the server is of another file; chunk 0 and 1 are equal.
    check(
        "has a 5c 0-1 content 1
        has a 5c 2-2 content 9
        add a 5c content 1
        run",
        expect![[r#"
            > has a 5c 0-1 content 1
            > has a 5c 2-2 content 9
            > add a 5c content 1
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              compare a:0-2
              hash a:3
              forget a
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            = a 3c/5c file changed
        "#]],
    );
}

#[test]
fn starting_over_after_a_change_deletes_first() {
    check(
        "has a 2c 0-0 content 1
        add a 2c content 2
        run
        retry a
        run",
        expect![[r#"
            > has a 2c 0-0 content 1
            > add a 2c content 2
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              compare a:0
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            > retry a
              · retry a
              delete #2 a
            > run
              create #3 a
              hash a:0-1
              · started a
              pack #4 a:0-1
              · chunk a:0-1
              · success a
              · complete
            = a 2c/2c done as a
        "#]],
    );
}

#[test]
fn picking_a_changed_file_again_starts_over_too() {
    check(
        "has a 2c 0-0 content 1
        add a 2c content 2
        run
        add a 2c content 2
        run",
        expect![[r#"
            > has a 2c 0-0 content 1
            > add a 2c content 2
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              compare a:0
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            > add a 2c content 2
              · replaced a(0) by a(1)
              · added a(1)
              delete #2 a
            > run
              create #3 a
              hash a(1):0-1
              · started a(1)
              pack #4 a(1):0-1
              · chunk a(1):0-1
              · success a(1)
              · complete
            = a(1) 2c/2c done as a
        "#]],
    );
}

#[test]
fn listed_rows_wait_for_their_files_and_give_way_to_them() {
    check(
        "has a 3c 0-1
        has b 1c
        has c 2c 0-0
        listed
        wait 10min
        add a 3c
        run",
        expect![[r#"
            > has a 3c 0-1
            > has b 1c
            > has c 2c 0-0
            > listed
            > wait 10min
            > add a 3c
              · replaced listed-a by a
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              compare a:0-1
              hash a:2
              · started a
              pack #2 a:2
              · chunk a:2
              · success a
              · complete
            = listed-b 1c/1c done as b
            = listed-c 1c/2c choose it again to go on
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_file_picked_alone_finds_its_row_by_name_size_and_time_if_that_is_unique() {
    check(
        "has a 3c 0-1 in x
        has b 3c 0-1 in x
        has b 3c 0-1 in y
        listed
        pause all
        add a 3c
        add b 3c",
        expect![[r#"
            > has a 3c 0-1 in x
            > has b 3c 0-1 in x
            > has b 3c 0-1 in y
            > listed
            > pause all
              · paused: Paused
            > add a 3c
              · replaced listed-a by a
              · added a
            > add b 3c
              · added b
            = listed-b(1) 2c/3c choose it again to go on
            = listed-b(2) 2c/3c choose it again to go on
            = a 0c/3c paused
            = b 0c/3c paused
        "#]],
    );
}

#[test]
fn checksums_come_in_pages() {
    check(
        "has a 6c 0-4
        has b 6c 2-4
        page 2
        add a 6c
        add b 6c
        run",
        expect![[r#"
            > has a 6c 0-4
            > has b 6c 2-4
            > page 2
            > add a 6c
              · added a
            > add b 6c
              · added b
            > run
              create #0 a b
              checksums #1 a from 0 ≤4096
              checksums #2 b from 2 ≤4096
              compare a:0-1
              checksums #3 a from 2 ≤4096
              compare b:2-3
              hash b:0-1
              checksums #4 b from 4 ≤4096
              · started b
              pack #5 b:0-1
              compare a:2-3
              checksums #6 a from 4 ≤4096
              compare b:4
              hash b:5
              … 11 more
            = a 6c/6c done as a
            = b 6c/6c done as b
        "#]],
    );
}

#[test]
fn a_server_that_cannot_prove_what_it_has_is_not_believed() {
    check(
        "has a 3c 0-1
        page 0
        add a 3c
        run
        retry a
        run",
        expect![[r#"
            > has a 3c 0-1
            > page 0
            > add a 3c
              · added a
            > run
              create #0 a
              checksums #1 a from 0 ≤4096
              checksums #2 a from 0 ≤4096
              checksums #3 a from 0 ≤4096
              · error a: The server cannot prove what it has of this file. Start over to send it whole.
              · complete
            > retry a
              · retry a
              delete #4 a
            > run
              create #5 a
              hash a:0-2
              · started a
              pack #6 a:0-2
              · chunk a:0-2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_server_that_has_everything_and_does_not_finish_is_nudged() {
    check(
        "has a 3c 0-1
        add a 3c
        wait 20ms
        ok 0
        complete-silently a
        ok 1
        run",
        expect![[r#"
            > has a 3c 0-1
            > add a 3c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              checksums #1 a from 0 ≤4096
            > complete-silently a
            > ok 1
              compare a:0-2
              status #2 a
            > run
              hash a:2
              · started a
              pack #3 a:2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn two_pages_send_one_file_and_what_the_other_sent_is_compared() {
    check_with(
        |config| config.read_ahead = 64 << 10,
        "add a 3c
        wait 20ms
        ok 0
        refuse-chunk 1 0 in_flight 1s
        has a 3c 0-1
        wait 3s
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
            > refuse-chunk 1 0 in_flight 1s
              · retry a
            > has a 3c 0-1
            > wait 3s
              status #2 a
            > run
              checksums #3 a from 0 ≤4096
              compare a:0-1
              hash a:2
              pack #4 a:2
              · chunk a:2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_file_that_another_page_finished_is_compared_as_a_whole() {
    check(
        "add a 3c
        wait 20ms
        ok 0
        refuse-chunk 1 0 in_flight 1s
        has a 3c
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
            > refuse-chunk 1 0 in_flight 1s
              · chunk a:1-2
              · retry a
            > has a 3c
            > run
              status #2 a
              compare a:0-2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_file_that_another_page_finished_with_other_bytes_is_not_called_done() {
    check(
        "add a 3c content 1
        wait 20ms
        ok 0
        has a 3c content 2
        lost 1
        run",
        expect![[r#"
            > add a 3c content 1
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-2
              · started a
              pack #1 a:0-2
            > has a 3c content 2
            > lost 1
              probe a
              · retry a
              status #2 a
            > run
              compare a:0-2
              · error a: File changed. The file is not the one whose first part was sent. Start over to send it as it is now.
              · complete
            = a 0c/3c file changed
        "#]],
    );
}

#[test]
fn chunks_that_the_server_lost_are_sent_again() {
    check_with(
        |config| config.read_ahead = 64 << 10,
        "add a 3c
        wait 20ms
        ok 0
        ok 1
        forget-upload a
        lost 2
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
            > ok 1
              · chunk a:0
              hash a:1
              pack #2 a:1
            > forget-upload a
            > lost 2
              probe a
              · retry a
              status #3 gone
            > run
              · retry a
              create #4 a
              hash a:0
              pack #5 a:0 (attempt 1)
              · chunk a:0
              hash a:1
              pack #6 a:1 (attempt 1)
              · chunk a:1
              hash a:2
              pack #7 a:2 (attempt 1)
              · chunk a:2
              · success a
              · complete
            = a 3c/3c done as a
        "#]],
    );
}

#[test]
fn a_status_that_is_older_than_an_acknowledgement_takes_nothing_back() {
    check_with(
        |config| config.read_ahead = 6 * (64 << 10),
        "add a 5c
        wait 20ms
        ok 0
        lost 1
        answer 3
        ok 2
        arrive 3
        run",
        expect![[r#"
            > add a 5c
              · added a
            > wait 20ms
              create #0 a
            > ok 0
              hash a:0-4
              · started a
              pack #1 a:0-1
              pack #2 a:2-3
            > lost 1
              forget a
              probe a
              · retry a
              status #3 a
            > answer 3
            > ok 2
              · chunk a:2-3
            > arrive 3
              hash a:0-1
              hash a:4
              pack #4 a:0-1 a:4 (attempt 1)
            > run
              · chunk a:0-1
              · chunk a:4
              · success a
              · complete
            = a 5c/5c done as a
        "#]],
    );
}
