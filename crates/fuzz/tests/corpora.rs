//! Every target holds for all that was found worth keeping.

// A test that panics has failed.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_target_holds_for_its_corpus_and_every_corpus_has_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let folders: BTreeSet<String> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let targets: BTreeSet<String> = hoist_fuzz::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(folders, targets);
    for (name, target) in hoist_fuzz::TARGETS {
        let mut count = 0;
        let mut said = BTreeSet::new();
        for entry in fs::read_dir(root.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            match std::panic::catch_unwind(|| target(&data)) {
                Ok(taken) => said.extend(taken),
                Err(why) => {
                    eprintln!("{}", path.display());
                    std::panic::resume_unwind(why);
                }
            }
            count += 1;
        }
        assert!(count >= 5, "{name} has {count}");
        // A parser that refused everything would never be wrong, nor one that took everything.
        assert_ne!(said.len(), 1, "all of {name} is taken, or nothing");
    }
}
