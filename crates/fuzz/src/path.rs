//! Names and folders from outside.

use std::path::{Component, Path};

use hoist_protocol::{MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_DEPTH, RelativePath};

/// A folder, a line break, and a name.
pub(crate) fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (folder, name) = text.split_once('\n').unwrap_or(("", &text));
    let Ok(path) = RelativePath::new(folder, name) else {
        return;
    };
    assert_eq!(
        (path.folder(), path.name()),
        (folder, name),
        "nothing is changed"
    );
    let whole: Vec<&str> = path.components().collect();
    assert_eq!(whole.last(), Some(&name));
    assert!(whole.len() <= MAX_PATH_DEPTH + 1);
    assert!(whole.iter().map(|part| part.len() + 1).sum::<usize>() <= MAX_PATH_BYTES + 1);
    for part in &whole {
        assert!(!part.is_empty() && part.len() <= MAX_NAME_BYTES);
        assert!(
            !part.contains(['/', '\0']) && ![".", ".."].contains(part),
            "{part:?}"
        );
    }
    // A system's own reading of it goes nowhere but down.
    let joined = whole.join("/");
    let down = Path::new(&joined).components();
    assert!(
        down.clone()
            .all(|part| matches!(part, Component::Normal(_))),
        "{joined:?}"
    );
    assert_eq!(down.count(), whole.len());
}
