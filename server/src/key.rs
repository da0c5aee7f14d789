//! The key of the visitors' cookies, kept beside the data it belongs to.

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use hoist_axum::CookieKey;

/// Reads the key, or makes it if there is none.
pub(crate) fn load(file: &Path) -> io::Result<CookieKey> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let mut opened = options.open(file)?;
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes)?;
    if let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(CookieKey::from_bytes(key));
    }
    // Empty: made just now, or by a start that was cut before any cookie was.
    if !bytes.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not 32 bytes long; if you remove it, visitors lose their lists but not their files",
        ));
    }
    let key = CookieKey::random()?;
    opened.write_all(key.as_bytes())?;
    opened.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_stays_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("visitor.key");
        let key = load(&file).unwrap();
        assert_eq!(key.as_bytes(), load(&file).unwrap().as_bytes());
        assert_ne!(key.as_bytes(), &[0; 32]);
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("visitor.key");
        std::fs::write(&file, "short").unwrap();
        assert!(load(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"short");
    }
}
