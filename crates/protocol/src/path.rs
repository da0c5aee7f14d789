//! Names and paths that come from outside.

use std::fmt;

/// Longest component of a path, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;
/// Longest path, in bytes of UTF-8.
pub const MAX_PATH_BYTES: usize = 3072;
/// Most components of a path, the name included.
pub const MAX_PATH_DEPTH: usize = 64;

/// Why a name or path is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPath {
    /// A component is empty: a leading, trailing or double slash, or no name at all.
    Empty,
    /// A component is `.` or `..`.
    Dots,
    /// A component holds `/`, or anything holds a NUL.
    Character,
    /// A component is longer than [`MAX_NAME_BYTES`], or the whole than [`MAX_PATH_BYTES`].
    TooLong,
    /// More than [`MAX_PATH_DEPTH`] components.
    TooDeep,
}

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name is empty",
            Self::Dots => "a name is . or ..",
            Self::Character => "a name has a slash or a NUL in it",
            Self::TooLong => "a name is longer than 255 bytes, or the path than 3072",
            Self::TooDeep => "the file lies more than 64 folders deep",
        })
    }
}

impl std::error::Error for InvalidPath {}

/// The folder and the name of a file as the person has them, checked but not changed.
///
/// It is relative, has no `.` or `..`, and is what the receipt repeats. It is not yet a path on the
/// server's disk: that is the store's to make, and it may have to spell a name otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath {
    folder: String,
    name: String,
}

impl RelativePath {
    /// Checks a folder (`""` or `a/b`) and a name.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`], the first thing that is wrong.
    pub fn new(folder: &str, name: &str) -> Result<Self, InvalidPath> {
        let components = || folder.split('/').filter(|_| !folder.is_empty());
        for component in components().chain([name]) {
            match component {
                "" => return Err(InvalidPath::Empty),
                "." | ".." => return Err(InvalidPath::Dots),
                _ if component.contains(['/', '\0']) => return Err(InvalidPath::Character),
                _ if component.len() > MAX_NAME_BYTES => return Err(InvalidPath::TooLong),
                _ => {}
            }
        }
        if folder.len() + 1 + name.len() > MAX_PATH_BYTES {
            return Err(InvalidPath::TooLong);
        }
        if components().count() + 1 > MAX_PATH_DEPTH {
            return Err(InvalidPath::TooDeep);
        }
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The folder, `""` if there is none.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The name of the file itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The components, outermost folder first, the name last.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.folder
            .split('/')
            .filter(|component| !component.is_empty())
            .chain([self.name.as_str()])
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.folder.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.folder, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_pass_and_traversal_does_not() {
        for (folder, name) in [
            ("", "a"),
            ("a/b", "文件.txt"),
            ("صور", "😀"),
            ("e\u{301}", "..."),
            ("-", "a\\b:c"),
        ] {
            let path = RelativePath::new(folder, name).unwrap();
            assert_eq!(path.components().last(), Some(name));
        }
        for (folder, name, why) in [
            ("", "", InvalidPath::Empty),
            ("/", "a", InvalidPath::Empty),
            ("/etc", "a", InvalidPath::Empty),
            ("a/", "a", InvalidPath::Empty),
            ("a//b", "a", InvalidPath::Empty),
            ("..", "a", InvalidPath::Dots),
            ("a/../b", "a", InvalidPath::Dots),
            ("", "..", InvalidPath::Dots),
            ("", ".", InvalidPath::Dots),
            ("", "a/b", InvalidPath::Character),
            ("a\0", "b", InvalidPath::Character),
            ("", "b\0", InvalidPath::Character),
        ] {
            assert_eq!(
                RelativePath::new(folder, name),
                Err(why),
                "{folder:?} {name:?}"
            );
        }
    }

    #[test]
    fn lengths_and_depths_have_ends() {
        assert!(RelativePath::new("", &"a".repeat(255)).is_ok());
        assert_eq!(
            RelativePath::new("", &"a".repeat(256)),
            Err(InvalidPath::TooLong)
        );
        assert!(RelativePath::new(&vec!["a"; 63].join("/"), "b").is_ok());
        assert_eq!(
            RelativePath::new(&vec!["a"; 64].join("/"), "b"),
            Err(InvalidPath::TooDeep)
        );
        assert_eq!(
            RelativePath::new(&vec!["a".repeat(200); 20].join("/"), "b"),
            Err(InvalidPath::TooLong)
        );
    }
}
