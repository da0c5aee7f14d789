//! Paths of the calls, below one configurable prefix, for both sides of the wire.

use crate::UploadId;

/// The prefix if nobody configures another.
pub const DEFAULT_PREFIX: &str = "/hoist";
/// Create (`POST`) and list (`GET`).
pub const UPLOADS: &str = "/uploads";
/// Ask for the status of many uploads (`POST`).
pub const STATUS: &str = "/uploads/status";
/// Cancel or delete many uploads (`POST`).
pub const DELETE: &str = "/uploads/delete";
/// Take back a delete while its grace lasts (`POST`).
pub const RESTORE: &str = "/uploads/restore";
/// Send a pack (`POST`).
pub const PACKS: &str = "/packs";
/// Packs over a WebSocket (`GET` with an upgrade).
pub const SOCKET: &str = "/socket";
/// The form of a page without JavaScript (`POST`).
pub const FORM: &str = "/form";
/// Delete files from a page without JavaScript (`POST`), as `id=…`.
pub const FORM_DELETE: &str = "/form/delete";
/// All finished files in one archive (`GET`); those of a folder below `/zip/FOLDER`.
pub const ZIP: &str = "/zip";
/// What the server allows (`GET`).
pub const LIMITS: &str = "/limits";

/// The path of one upload below the prefix (`DELETE`).
#[must_use]
pub fn upload(id: UploadId) -> String {
    format!("{UPLOADS}/{id}")
}

/// Where a token for one upload is asked for (`POST`).
#[must_use]
pub fn tokens(id: UploadId) -> String {
    format!("{UPLOADS}/{id}/tokens")
}

/// Where tokens of one upload are ended (`POST`).
#[must_use]
pub fn revoke_tokens(id: UploadId) -> String {
    format!("{UPLOADS}/{id}/tokens/revoke")
}

/// The path of a finished file below the prefix (`GET`); `name` is only for the eye.
#[must_use]
pub fn file(id: UploadId, name: &str) -> String {
    let mut path = format!("/files/{id}/");
    push_segment(&mut path, name);
    path
}

/// The path of an archive of a folder below the prefix (`GET`).
#[must_use]
pub fn zip(folder: &str) -> String {
    let mut path = ZIP.to_owned();
    for segment in folder.split('/') {
        path.push('/');
        push_segment(&mut path, segment);
    }
    path
}

fn push_segment(path: &mut String, segment: &str) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        let id = UploadId::from_bytes([0; 16]);
        let path = file(id, "a/../b?c#d %é");
        assert_eq!(path, format!("/files/{id}/a%2F..%2Fb%3Fc%23d%20%25%C3%A9"));
    }

    #[test]
    fn a_folder_in_a_folder_stays_one() {
        assert_eq!(zip("照片/summer 1"), "/zip/%E7%85%A7%E7%89%87/summer%201");
    }
}
