//! What a page says to a person whose form has failed.

use hoist_protocol::ErrorCode;

/// Name of the query's field with the code.
pub(crate) const FIELD: &str = "hoist-error";

/// Why the last form failed, in words for a person, if the query of a page's address says that one
/// did.
///
/// A form of a page without JavaScript is answered by going back to its page with
/// `?hoist-error=CODE`. What else stands there names no code and is nobody's message.
///
/// ```
/// assert!(hoist_axum::form_problem("a=1&hoist-error=too_large").is_some());
/// assert!(hoist_axum::form_problem("hoist-error=<b>x</b>").is_none());
/// ```
#[must_use]
pub fn form_problem(query: &str) -> Option<&'static str> {
    let value = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == FIELD).then_some(value))?;
    let code = ErrorCode::ALL.iter().find(|code| code.as_str() == value)?;
    Some(words(*code))
}

const fn words(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TooLarge => "The file is larger than this server takes. It was not stored.",
        ErrorCode::TooMany => "These are more files at once than this server takes.",
        ErrorCode::TypeNotAllowed => "This server does not take files of this type.",
        ErrorCode::NameNotAllowed => "The file has a name that cannot be stored.",
        ErrorCode::Forbidden => "You may not do this here.",
        ErrorCode::Unauthorized => "Please sign in, then try again.",
        ErrorCode::VisitorUnknown => {
            "This server does not know your browser any more. Please reload the page and try again."
        }
        ErrorCode::NotFound | ErrorCode::Expired => "This file is not there any more.",
        ErrorCode::StorageFull => "The server's disk is full. The file was not stored.",
        ErrorCode::QuotaExceeded => "Your share of the disk is used up. The file was not stored.",
        ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::InFlight => {
            "The server is busy. Please try again in a moment."
        }
        ErrorCode::InvalidRequest | ErrorCode::NotSupported => {
            "The upload broke off, or was not understood. Please try again."
        }
        ErrorCode::ChunkConflict | ErrorCode::ChecksumMismatch => {
            "The file has changed on its way. Please try again."
        }
        _ => "Something broke on the server. Please try again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_and_nothing_else_has() {
        for code in ErrorCode::ALL {
            let query = format!("a=b&hoist-error={code}&c=d");
            assert!(form_problem(&query).unwrap().ends_with('.'), "{code}");
        }
        for query in [
            "",
            "hoist-error",
            "hoist-error=",
            "hoist-error=x",
            "xhoist-error=internal",
        ] {
            assert_eq!(form_problem(query), None, "{query}");
        }
    }
}
