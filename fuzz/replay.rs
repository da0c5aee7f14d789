//! Replays the corpora without a fuzzer: a module of the tests of each crate that has properties.

use std::{collections::BTreeSet, fs, path::Path};

/// Every target and the crate that has its property.
const TARGETS: [(&str, &str); 15] = [
    ("answers", "hoist-leptos"),
    ("chunks", "hoist-protocol"),
    ("classic_list", "hoist-axum"),
    ("classic_query", "hoist-axum"),
    ("cookies", "hoist-axum"),
    ("cursor", "hoist-store"),
    ("form", "hoist-axum"),
    ("headers", "hoist-axum"),
    ("messages", "hoist-protocol"),
    ("names", "hoist-protocol"),
    ("pack", "hoist-axum"),
    ("places", "hoist-store"),
    ("range", "hoist-axum"),
    ("settings", "hoist-server"),
    ("sidecar", "hoist-store"),
];

/// Gives each property of a crate all that its corpus has.
///
/// Panics if one does not hold, and if a target has no property, no corpus or no fuzzer. A corpus
/// must have something that is taken and something that is refused: a parser that refuses all
/// would never be wrong.
pub(crate) fn replay(name: &str, properties: &[(&str, fn(&[u8]) -> bool)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("fuzz"))
        .find(|folder| folder.join("replay.rs").is_file())
        .unwrap();
    let all: BTreeSet<_> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names(&root.join("fuzz_targets")), all, "fuzz/fuzz_targets");
    assert_eq!(names(&root.join("corpus")), all, "fuzz/corpus");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for target in &all {
        let entry = format!("name = \"{target}\"");
        assert!(manifest.contains(&entry), "fuzz/Cargo.toml lacks {target}");
    }
    let expected = TARGETS.iter().filter(|(_, of)| *of == name);
    let expected: BTreeSet<_> = expected.map(|(target, _)| *target).collect();
    let found = properties.iter().map(|(target, _)| *target).collect();
    assert_eq!(expected, found, "the properties of {name}");
    for (target, property) in properties {
        let (mut taken, mut refused) = (0, 0);
        for entry in fs::read_dir(root.join("corpus").join(target)).unwrap() {
            let path = entry.unwrap().path();
            // Said by the test runner if it fails.
            println!("{}", path.display());
            match property(&fs::read(&path).unwrap()) {
                true => taken += 1,
                false => refused += 1,
            }
        }
        assert!(taken > 0, "nothing in the corpus of {target} is taken");
        assert!(refused > 0, "nothing in the corpus of {target} is refused");
    }
}

/// The names in a folder, without what follows their dot.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap())).collect()
}
