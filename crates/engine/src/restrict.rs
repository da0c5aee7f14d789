//! What is taken at all, before the server is asked.

use hoist_protocol::{Limits, RelativePath};

use crate::{Picked, Restrictions, Totals, words};

/// Why a file is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) words: String,
    /// Whether it is for what is there besides, so that there may be room later.
    pub(crate) may_pass: bool,
}

impl Refusal {
    const fn of_the_file(words: String) -> Self {
        let may_pass = false;
        Self { words, may_pass }
    }

    const fn for_now(words: String) -> Self {
        let may_pass = true;
        Self { words, may_pass }
    }
}

/// Why a file is not taken, or `Ok`. What is wrong with the file itself is said first.
///
/// `limits` are the server's, once they are known; `accept` is [`Restrictions::accept`] in the
/// form that [`Limits::takes_type`] reads.
pub(crate) fn check(
    file: &Picked,
    restrictions: &Restrictions,
    accept: &Limits,
    limits: &Limits,
    totals: &Totals,
) -> Result<(), Refusal> {
    check_file(file, restrictions, accept, limits).map_err(Refusal::of_the_file)?;
    check_room(file, restrictions, totals).map_err(Refusal::for_now)
}

fn check_room(file: &Picked, restrictions: &Restrictions, totals: &Totals) -> Result<(), String> {
    if let Some(most) = restrictions.max_files
        && totals.files >= most
    {
        return Err(format!("At most {most} files can be added."));
    }
    if let Some(most) = restrictions.max_total_size
        && !file.is_directory
        && totals.bytes.saturating_add(file.size) > most
    {
        return Err(too_much(most));
    }
    Ok(())
}

fn too_much(most: u64) -> String {
    format!("All files together are larger than {}.", words::size(most))
}

fn check_file(
    file: &Picked,
    restrictions: &Restrictions,
    accept: &Limits,
    limits: &Limits,
) -> Result<(), String> {
    RelativePath::new(&file.path, &file.name)
        .map_err(|why| format!("This name cannot be stored: {why}."))?;
    if file.is_directory {
        return Ok(());
    }
    let largest = restrictions
        .max_file_size
        .map_or(limits.file_size, |most| most.min(limits.file_size));
    if file.size > largest {
        return Err(format!("The file is larger than {}.", words::size(largest)));
    }
    let smallest = restrictions
        .min_file_size
        .map_or(limits.min_file_size, |least| {
            least.max(limits.min_file_size)
        });
    if file.size < smallest {
        return Err(format!(
            "The file is smaller than {}.",
            words::size(smallest)
        ));
    }
    if let Some(most) = restrictions.max_total_size
        && file.size > most
    {
        return Err(too_much(most));
    }
    let media_type = file.media_type.as_deref();
    if !accept.takes_type(&file.name, media_type) || !limits.takes_type(&file.name, media_type) {
        return Err("Files of this type are not taken here.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64) -> Picked {
        Picked {
            name: name.to_owned(),
            size,
            ..Picked::default()
        }
    }

    fn judge(file: &Picked, restrictions: &Restrictions, totals: &Totals) -> String {
        let accept = Limits {
            types: restrictions.accept.clone(),
            ..Limits::default()
        };
        let limits = Limits {
            file_size: 5000,
            min_file_size: 2,
            types: vec![".txt".to_owned(), ".pdf".to_owned(), "image/*".to_owned()],
            ..Limits::default()
        };
        check(file, restrictions, &accept, &limits, totals)
            .err()
            .map_or_else(String::new, |refusal| refusal.words)
    }

    #[test]
    fn each_restriction_says_its_number() {
        let some = Restrictions {
            max_file_size: Some(3000),
            min_file_size: Some(10),
            max_total_size: Some(10_000),
            max_files: Some(3),
            accept: vec![".txt".to_owned(), "image/png".to_owned()],
        };
        let none = Totals::default();
        let held = |files, bytes| Totals {
            files,
            bytes,
            ..Totals::default()
        };
        assert_eq!(judge(&file("a.txt", 3000), &some, &none), "");
        assert_eq!(judge(&file("a.txt", 10), &some, &held(2, 9990)), "");
        for (name, size, totals, words) in [
            ("a.txt", 3001, none, "The file is larger than 3 kB."),
            ("a.txt", 9, none, "The file is smaller than 10 bytes."),
            (
                "a.txt",
                11,
                held(2, 9990),
                "All files together are larger than 10 kB.",
            ),
            ("a.txt", 20, held(3, 0), "At most 3 files can be added."),
            ("a.pdf", 20, none, "Files of this type are not taken here."),
            (
                "..",
                20,
                none,
                "This name cannot be stored: a name is . or ...",
            ),
        ] {
            assert_eq!(
                judge(&file(name, size), &some, &totals),
                words,
                "{name} {size}"
            );
        }
    }

    #[test]
    fn only_what_is_there_besides_can_pass() {
        let tight = Restrictions {
            max_file_size: Some(3000),
            max_total_size: Some(50),
            max_files: Some(3),
            ..Restrictions::default()
        };
        let none = Totals::default();
        let held = Totals {
            files: 3,
            bytes: 45,
            ..none
        };
        let all = Limits::default();
        let may_pass = |name, size, totals: Totals| {
            let refused = check(&file(name, size), &tight, &all, &all, &totals);
            refused.unwrap_err().may_pass
        };
        assert!(may_pass("a", 10, held));
        assert!(may_pass("a", 10, Totals { files: 0, ..held }));
        assert!(!may_pass("a", 3001, none));
        assert!(!may_pass("a", 51, none), "more than all together");
        assert!(!may_pass("..", 10, none));
        // It is too large whatever else goes.
        assert!(!may_pass("a", 3001, held));
    }

    #[test]
    fn the_servers_limits_hold_without_any_of_ours() {
        let free = Restrictions::default();
        let none = Totals::default();
        assert_eq!(judge(&file("a.txt", 5000), &free, &none), "");
        assert_eq!(
            judge(&file("a.txt", 5001), &free, &none),
            "The file is larger than 5 kB."
        );
        assert_eq!(
            judge(&file("a.txt", 1), &free, &none),
            "The file is smaller than 2 bytes."
        );
        assert_ne!(judge(&file("a.exe", 10), &free, &none), "");
        let folder = Picked {
            is_directory: true,
            ..file("a.exe", 0)
        };
        assert_eq!(
            judge(&folder, &free, &none),
            "",
            "a folder has no type or size"
        );
    }
}
