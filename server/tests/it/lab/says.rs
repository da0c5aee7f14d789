//! What `make lab` makes of the logs of its parts: a part that was skipped, or a filter that no test has,
//! must not read like one that passed.

use std::{fs, process::Command};

use crate::program::root;

/// The line of the table, and how the script ended.
fn says(log: &str) -> (String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    fs::write(&file, log).unwrap();
    let output = Command::new("bash")
        .arg(root().join("scripts/lab-says"))
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (said.trim_end().to_owned(), output.status.code().unwrap())
}

fn result(passed: u32) -> String {
    format!("test result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 99 filtered out\n")
}

#[test]
fn what_was_skipped_or_never_ran_is_not_said_to_have_passed() {
    let figures = "full: descriptors ran out 20 times\n";
    let skipped = "\n!!! SKIPPED: a small file system needs root: mount: no\n\n";
    let none = ("NOTHING RAN".to_owned(), 1);
    assert_eq!(says(&result(0)), none, "a filter that no test has");
    assert_eq!(says(&(result(0) + figures)), none);
    assert_eq!(says(""), none);
    // Another crate's tests are none of this filter, and beside them one is.
    assert_eq!(
        says(&(result(0) + figures + &result(3))),
        ("full: descriptors ran out 20 times".to_owned(), 0)
    );
    assert_eq!(says(&result(3)), ("passed".to_owned(), 0));
    // Once, though two tests said it; and what the others showed.
    let log = skipped.repeat(2) + "test lab::full::x ... " + figures + &result(3);
    let line = "**SKIPPED: a small file system needs root: mount: no**; full: descriptors ran out 20 times";
    assert_eq!(says(&log), (line.to_owned(), 3));
    assert_eq!(says(&(skipped.to_owned() + &result(2))).1, 3);
    // What fuzzes has no test runner.
    assert_eq!(
        says("fuzz: form: 5 runs, 3 edges, no promise broken\n").1,
        0
    );
    let power = "power, real disk: 4 cuts, 9 chunks\n";
    assert_eq!(says(&(power.to_owned() + &result(2))).0, power.trim_end());
}
