//! What is taken at all, before the server is asked.

use hoist_protocol::{Limits, RelativePath};

use crate::{Picked, Restrictions, Totals, words};

/// Why a file is not taken, in words, or `Ok`.
///
/// `limits` are the server's, once they are known; `accept` is [`Restrictions::accept`] in the
/// form that [`Limits::takes_type`] reads.
pub(crate) fn check(
    file: &Picked,
    restrictions: &Restrictions,
    accept: &Limits,
    limits: &Limits,
    totals: &Totals,
) -> Result<(), String> {
    RelativePath::new(&file.path, &file.name)
        .map_err(|why| format!("This name cannot be stored: {why}."))?;
    if restrictions
        .max_files
        .is_some_and(|most| totals.files >= most)
    {
        let most = restrictions.max_files.unwrap_or_default();
        return Err(format!("At most {most} files can be added."));
    }
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
        && totals.bytes.saturating_add(file.size) > most
    {
        return Err(format!(
            "All files together are larger than {}.",
            words::size(most)
        ));
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
            .unwrap_or_default()
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
