//! Names on disk. The only place that turns what a person called a file into a path.

use hoist_protocol::{MAX_NAME_BYTES, RelativePath, UploadId};
use unicode_normalization::UnicodeNormalization as _;

use crate::Owner;

/// Names that Windows keeps for devices, whatever the extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Where the bytes of an unfinished upload lie, below the data folder. Spread over 256 folders:
/// threads that make files in one folder wait for its lock.
pub(crate) fn incoming(id: UploadId) -> String {
    let name = id.to_string();
    format!("incoming/{}/{name}", name.get(..2).unwrap_or_default())
}

/// The folder of an owner's files, below the data folder.
pub(crate) fn owner_folder(owner: &Owner) -> String {
    if *owner == Owner::shared() {
        "files".to_owned()
    } else {
        format!("visitors/{owner}")
    }
}

/// Where something stored as `stored_as` lies, below the data folder.
pub(crate) fn place(owner: &Owner, stored_as: &str) -> String {
    format!("{}/{stored_as}", owner_folder(owner))
}

/// Spells a path so that every system can hold it; the same path if it can already.
///
/// Control characters and `<>:"|?*\` become `_`, dots and spaces at the end of a component too,
/// and a device name gets a `_` before it. Scripts, emoji and both Unicode forms of an accent stay.
pub(crate) fn spelled(path: &RelativePath) -> String {
    path.components()
        .map(component)
        .collect::<Vec<_>>()
        .join("/")
}

fn component(name: &str) -> String {
    let mut spelt: String = name
        .chars()
        .map(|c| {
            if c.is_control() || r#"<>:"|?*\"#.contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let kept = spelt.trim_end_matches(['.', ' ']).len();
    let ends = spelt.len() - kept;
    if ends > 0 {
        spelt.truncate(kept);
        spelt.extend(std::iter::repeat_n('_', ends));
    }
    let stem = spelt
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut rest = rest.chars();
            rest.next()
                .is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c))
                && rest.next().is_none()
        })
    };
    if DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        spelt.insert(0, '_');
        // Neither too long nor, once cut, with an end that some system cannot hold.
        while spelt.len() > MAX_NAME_BYTES {
            spelt.pop();
            while spelt.ends_with(['.', ' ']) {
                spelt.pop();
            }
        }
    }
    spelt
}

/// What two paths have in common if some file system takes them for one: case-folded, NFC.
pub(crate) fn key(stored_as: &str) -> String {
    // Upper then lower folds what has no lower case of its own, such as ß and ſ.
    stored_as
        .nfc()
        .collect::<String>()
        .to_uppercase()
        .to_lowercase()
        .nfc()
        .collect()
}

/// The `n`-th name to try for a path: itself, then `name (2).ext`, `name (3).ext` …
pub(crate) fn numbered(stored_as: &str, n: u32) -> String {
    if n <= 1 {
        return stored_as.to_owned();
    }
    let (folder, name) = stored_as
        .rsplit_once('/')
        .map_or(("", stored_as), |(folder, name)| (folder, name));
    let dot = name.rfind('.').filter(|dot| *dot > 0).unwrap_or(name.len());
    let number = format!(" ({n})");
    let (stem, extension) = name
        .split_at_checked(dot)
        // What leaves no room for a character before the number is no extension.
        .filter(|(_, extension)| extension.len() + number.len() + 4 <= MAX_NAME_BYTES)
        .unwrap_or((name, ""));
    let mut stem = stem.to_owned();
    while !stem.is_empty() && stem.len() + number.len() + extension.len() > MAX_NAME_BYTES {
        stem.pop();
    }
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem}{number}{extension}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_some_system_cannot_hold_are_spelt_otherwise() {
        let spelt = |folder: &str, name: &str| spelled(&RelativePath::new(folder, name).unwrap());
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("文件 📷.jpg", "文件 📷.jpg"),
            ("e\u{301}.txt", "e\u{301}.txt"),
            ("a:b?.txt", "a_b_.txt"),
            ("tab\tnew\nline", "tab_new_line"),
            ("..\\..\\win.ini", ".._.._win.ini"),
            ("dot.", "dot_"),
            ("dots. .", "dots___"),
            ("...", "___"),
            (".hidden", ".hidden"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1.log", "_com1.log"),
            ("COM10", "COM10"),
            ("lpt²", "_lpt²"),
            ("console", "console"),
        ] {
            assert_eq!(spelt("", name), expected, "{name:?}");
        }
        assert_eq!(spelt("aux/b.", "c"), "_aux/b_/c");
        let cut = spelt("", &format!("con.{}.x", "x".repeat(249)));
        assert_eq!(cut, format!("_con.{}", "x".repeat(249)));
        assert!(spelt("", &format!("con.{}", "x".repeat(251))).len() <= MAX_NAME_BYTES);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_name_fits_with_every_number(
            folder in "([b-yé.]{1,20}/){0,2}",
            name in prop_oneof!["[a.é文😀 ]{1,255}", "[a.]\\PC{0,250}", "[é.]{0,3}\\.[文x😀]{0,254}"],
            n in prop_oneof![2..20u32, any::<u32>()],
        ) {
            // Cut to what a name may be at most, as its sender must.
            let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap();
            let name = &name[..end];
            prop_assume!(!name.contains('/') && !name.is_empty());
            let wanted = format!("{folder}{name}");
            let numbered = numbered(&wanted, n);
            let last = numbered.strip_prefix(&folder).unwrap();
            prop_assert!(last.len() <= MAX_NAME_BYTES, "{} bytes", last.len());
            if n > 1 {
                let number = format!(" ({n})");
                prop_assert!(last.contains(&number), "{last}");
                // As much of the name stays as there is room for.
                prop_assert!(last.len() + 4 > MAX_NAME_BYTES.min(name.len() + number.len()), "{last}");
                prop_assert!(last.replacen(&number, "", 1).chars().all(|c| name.contains(c)));
            }
        }
    }

    #[test]
    fn twins_have_one_key() {
        assert_eq!(key("É.txt"), key("e\u{301}.TXT"));
        assert_eq!(key("straße"), key("STRASSE"));
        assert_eq!(key("Å"), key("\u{212b}"));
        assert_ne!(key("a"), key("b"));
    }

    #[test]
    fn numbers_go_before_the_extension_and_fit() {
        assert_eq!(numbered("a/b.tar.gz", 1), "a/b.tar.gz");
        assert_eq!(numbered("a/b.tar.gz", 2), "a/b.tar (2).gz");
        assert_eq!(numbered(".hidden", 3), ".hidden (3)");
        assert_eq!(numbered("a.b/c", 2), "a.b/c (2)");
        let long = numbered(&format!("{}.jpg", "é".repeat(125)), 12);
        assert!(
            long.len() <= MAX_NAME_BYTES && long.ends_with(" (12).jpg"),
            "{long}"
        );
    }
}
