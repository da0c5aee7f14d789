//! Cancel, delete, undo. Long because what each script prints stands beside it.

use expect_test::expect;

use super::check;

#[test]
fn a_file_that_was_not_asked_for_is_dropped_without_a_request() {
    check(
        "add a 1c
        cancel a
        wait 10min",
        expect![[r#"
            > add a 1c
              · added a
            > cancel a
              · cancelled a
              · complete
            > wait 10min
            = a 0c/1c cancelled
        "#]],
    );
}

#[test]
fn a_cancel_during_the_create_deletes_what_the_answer_names() {
    check(
        "add a 1c
        add b 1c
        wait 20ms
        cancel a
        ok 0
        run",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
            > wait 20ms
              create #0 a b
            > cancel a
            > ok 0
              delete #1 a
              hash b:0
              · started b
              pack #2 b:0
            > run
              · cancelled a
              · chunk b:0
              · success b
              · complete
            = a 0c/1c cancelled
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn a_cancel_during_a_create_whose_answer_is_lost_leaves_nothing_behind() {
    check(
        "add a 1c
        wait 20ms
        cancel a
        unanswered 0
        run",
        expect![[r#"
            > add a 1c
              · added a
            > wait 20ms
              create #0 a
            > cancel a
            > unanswered 0
            > run
              create #1 a
              delete #2 gone
              · cancelled a
              · complete
            = a 0c/1c cancelled
        "#]],
    );
}

#[test]
fn a_running_file_is_aborted_and_the_server_told_until_it_confirms() {
    check(
        "add a 2c
        wait 20ms
        ok 0
        cancel a
        lost 2
        wait 1s
        fail 3 503
        wait 2s
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
            > cancel a
              abort #1
              delete #2 a
            > lost 2
            > wait 1s
              delete #3 a
            > fail 3 503
            > wait 2s
              delete #4 a
            > run
              · cancelled a
              · complete
            = a 0c/2c cancelled
        "#]],
    );
}

#[test]
fn one_of_a_pack_of_many_is_cancelled_and_the_others_arrive() {
    check(
        "add a 1c
        add b 1c
        add c 1c
        wait 20ms
        ok 0
        cancel b
        ok 1
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
            > cancel b
              delete #2 b
            > ok 1
              · chunk a:0
              · chunk c:0
              · success a
              · success c
            > run
              · cancelled b
              · complete
            = a 1c/1c done as a
            = b 0c/1c cancelled
            = c 1c/1c done as c
        "#]],
    );
}

#[test]
fn cancel_all_touches_only_what_this_visit_added() {
    check(
        "has listed1 2c 0-0
        has listed2 1c
        has there 1c
        listed
        add done 1c
        add there 1c
        run
        add running 2c
        wait 20ms
        ok 4
        add waiting 1c
        cancel all
        run
        wait 1min",
        expect![[r#"
            > has listed1 2c 0-0
            > has listed2 1c
            > has there 1c
            > listed
            > add done 1c
              · added done
            > add there 1c
              · replaced listed-there by there
              · added there
            > run
              create #0 done there
              · skipped there
              hash done:0
              · started done
              pack #1 done:0
              · chunk done:0
              · success done
              · complete
            > add running 2c
              · added running
            > wait 20ms
              create #2 running
            > ok 4
            > add waiting 1c
              · added waiting
            > cancel all
              · cancelled waiting
              delete #3 done
            > run
              delete #4 gone
              · deleted done
              · cancelled running
              · complete
            > wait 1min
            = listed-listed1 1c/2c choose it again to go on
            = listed-listed2 1c/1c done as listed2
            = done 1c/1c deleted
            = running 0c/2c cancelled
            = waiting 0c/1c cancelled
        "#]],
    );
}

#[test]
fn a_finished_file_is_deleted_with_an_undo() {
    check(
        "add a 1c
        run
        delete a
        ok 2
        wait 2s
        restore a
        ok 3
        wait 1min",
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
            > delete a
              delete #2 a
            > ok 2
              · deleted a
            > wait 2s
            > restore a
              restore #3 a
            > ok 3
              · restored a
            > wait 1min
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn deletes_are_taken_back_all_at_once_but_not_those_of_listed_rows() {
    check(
        "has listed 1c 0-0
        listed
        add a 1c
        add b 1c
        run
        cancel all
        delete listed-listed
        ok 2
        ok 3
        restore all
        ok 4
        wait 1min",
        expect![[r#"
            > has listed 1c 0-0
            > listed
            > add a 1c
              · added a
            > add b 1c
              · added b
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
            > cancel all
              delete #2 a b
            > delete listed-listed
              delete #3 listed
            > ok 2
              · deleted a
              · deleted b
            > ok 3
              · deleted listed-listed
            > restore all
              restore #4 a b
            > ok 4
              · restored a
              · restored b
            > wait 1min
            = listed-listed 1c/1c deleted
            = a 1c/1c done as a
            = b 1c/1c done as b
        "#]],
    );
}

#[test]
fn an_undo_ends_with_its_grace() {
    check(
        "add a 1c
        run
        delete a
        ok 2
        wait 11s
        restore a
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
            > delete a
              delete #2 a
            > ok 2
              · deleted a
            > wait 11s
            > restore a
            > run
            = a 1c/1c deleted
        "#]],
    );
}

#[test]
fn a_listed_unfinished_row_is_cancelled_only_by_itself() {
    check(
        "has a 2c 0-0
        listed
        cancel all
        cancel listed-a
        run",
        expect![[r#"
            > has a 2c 0-0
            > listed
            > cancel all
            > cancel listed-a
              delete #0 a
            > run
              · cancelled listed-a
            = listed-a 1c/2c cancelled
        "#]],
    );
}

#[test]
fn a_cancelled_file_can_be_sent_after_all() {
    check(
        "add a 1c
        cancel a
        retry a
        run",
        expect![[r#"
            > add a 1c
              · added a
            > cancel a
              · cancelled a
              · complete
            > retry a
              · retry a
            > run
              create #0 a
              hash a:0
              · started a
              pack #1 a:0
              · chunk a:0
              · success a
              · complete
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_delete_that_is_forbidden_leaves_the_file_and_says_so() {
    check(
        "add a 1c
        run
        delete a
        refuse 2 forbidden
        wait 10min",
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
            > delete a
              delete #2 a
            > refuse 2 forbidden
              · error a forbidden: the server says forbidden
            > wait 10min
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn a_file_whose_delete_is_on_its_way_is_not_there_already() {
    check(
        "add a 1c
        run
        delete a
        lost 2
        add a 1c
        wait 5s
        ok 4
        lost 3
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
            > delete a
              delete #2 a
            > lost 2
            > add a 1c
              · added a(1)
            > wait 5s
              delete #3 a
              create #4 a
            > ok 4
              · retry a(1)
            > lost 3
            > run
              delete #5 a
              · deleted a(0)
              create #6 a
              hash a(1):0
              · started a(1)
              pack #7 a(1):0
              · chunk a(1):0
              · success a(1)
              · complete
            = a(0) 1c/1c deleted
            = a(1) 1c/1c done as a
        "#]],
    );
}

#[test]
fn deletes_go_in_batches() {
    check(
        "limit batch 2
        add a 1c
        add b 1c
        add c 1c
        run
        cancel all
        run",
        expect![[r#"
            > limit batch 2
            > add a 1c
              · added a
            > add b 1c
              · added b
              create #0 a b
            > add c 1c
              · added c
            > run
              hash a:0
              hash b:0
              · started a
              · started b
              pack #1 a:0 b:0
              · chunk a:0
              · chunk b:0
              · success a
              · success b
              create #2 c
              hash c:0
              · started c
              pack #3 c:0
              · chunk c:0
              … 2 more
            > cancel all
              delete #4 a b
              delete #5 c
            > run
              · deleted a
              · deleted b
              · deleted c
            = a 1c/1c deleted
            = b 1c/1c deleted
            = c 1c/1c deleted
        "#]],
    );
}

#[test]
fn a_settled_row_can_be_taken_off_the_list() {
    check(
        "add a 1c
        add b 1c
        run
        remove a
        add c 1c
        remove c",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
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
            > remove a
            > add c 1c
              · added c
            > remove c
            = b 1c/1c done as b
            = c 0c/1c waiting
        "#]],
    );
}

#[test]
fn what_is_deleted_elsewhere_is_deleted_here_and_nothing_is_asked_for_it() {
    check(
        "add a 1c
        add b 1c
        run
        elsewhere a deleted
        elsewhere a deleted
        elsewhere b other.txt
        wait 1s
        elsewhere a restored
        wait 1min
        elsewhere a gone
        elsewhere a restored
        elsewhere a deleted
        wait 1min
        elsewhere a restored",
        expect![[r#"
            > add a 1c
              · added a
            > add b 1c
              · added b
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
            > elsewhere a deleted
              · deleted a
            > elsewhere a deleted
            > elsewhere b other.txt
            > wait 1s
            > elsewhere a restored
              · restored a
            > wait 1min
            > elsewhere a gone
              · deleted a
            > elsewhere a restored
              · restored a
            > elsewhere a deleted
              · deleted a
            > wait 1min
            > elsewhere a restored
              · restored a
            = a 1c/1c done as a
            = b 1c/1c done as other.txt
        "#]],
    );
}

#[test]
fn what_is_deleted_elsewhere_can_be_restored_here() {
    check(
        "add a 1c
        run
        delete a
        elsewhere a restored
        elsewhere a deleted
        ok 2
        restore a
        elsewhere a restored
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
            > delete a
              delete #2 a
            > elsewhere a restored
            > elsewhere a deleted
            > ok 2
              · deleted a
            > restore a
              restore #3 a
            > elsewhere a restored
            > run
              · restored a
            = a 1c/1c done as a
        "#]],
    );
}

#[test]
fn whatever_row_has_a_file_follows_it() {
    check(
        "has a 1c 0-0
        has b 1c 0-0
        listed
        add a 1c
        run
        elsewhere a deleted
        elsewhere listed-b deleted
        wait 1s
        elsewhere a restored
        elsewhere listed-b restored
        elsewhere listed-b other.txt",
        expect![[r#"
            > has a 1c 0-0
            > has b 1c 0-0
            > listed
            > add a 1c
              · replaced listed-a by a
              · added a
            > run
              create #0 a
              · skipped a
              · complete
            > elsewhere a deleted
              · deleted a
            > elsewhere listed-b deleted
              · deleted listed-b
            > wait 1s
            > elsewhere a restored
              · restored a
            > elsewhere listed-b restored
              · restored listed-b
            > elsewhere listed-b other.txt
            = listed-b 1c/1c done as other.txt
            = a 1c/1c already there
        "#]],
    );
}
