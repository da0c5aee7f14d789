//! Values of flags that are more than a number, with words for who gave another.

use std::{net::SocketAddr, num::NonZeroUsize};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Reads an address to listen on; `localhost` and a port alone are 127.0.0.1.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = |port: &str| {
        port.parse()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    text.parse()
        .or_else(|_| local(text.strip_prefix("localhost:").unwrap_or(text)))
        .map_err(|_| {
            "an address is like 127.0.0.1:3000, 0.0.0.0:3000, [::1]:3000 or localhost:3000"
                .to_owned()
        })
}

/// Reads a number of which none would be no server.
pub(super) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "it is a whole number, at least 1".to_owned())
}

/// Reads a name of this server.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let name = text.trim();
    // An empty variable is none.
    if name.bytes().all(is_name) {
        return Ok(name.to_owned());
    }
    Err("a name is like files.example, without http:// and without a port".to_owned())
}

/// Reads what is logged. A word alone, as `verbose`, would be taken for the name of a module, and nothing be logged.
pub(super) fn log(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok("info".to_owned());
    }
    let is_known = |part: &str| {
        part.contains(['=', '['])
            || part.starts_with("hoist")
            || part.parse::<LevelFilter>().is_ok()
    };
    match EnvFilter::try_new(text) {
        Ok(_) if text.split(',').any(is_known) => Ok(text.to_owned()),
        _ => Err(
            "it is error, warn, info, debug, trace or off, or as in hoist_store=debug,info"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_short() {
        for (text, addr) in [
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:3000", "[::1]:3000"),
            ("localhost:3000", "127.0.0.1:3000"),
            ("3000", "127.0.0.1:3000"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), addr, "{text}");
        }
        for text in ["", "localhost", "host:3000", "127.0.0.1", "70000", ":3000"] {
            assert!(
                address(text).unwrap_err().contains("127.0.0.1:3000"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        for name in ["files.example", " my-nas", "my_nas.local", ""] {
            assert_eq!(host(name).unwrap(), name.trim());
        }
        for name in [
            "http://files.example",
            "files.example/",
            "files.example:80",
            "a b",
            "a@b",
        ] {
            assert!(host(name).is_err(), "{name}");
        }
    }

    #[test]
    fn none_is_too_few() {
        assert_eq!(at_least_one("1").map(NonZeroUsize::get), Ok(1));
        for text in ["0", "-1", "many", ""] {
            assert!(
                at_least_one(text).unwrap_err().contains("at least 1"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_log_that_would_say_nothing_is_refused() {
        for text in [
            "info",
            "OFF",
            "warn,hoist_store=debug",
            "hoist_store=trace",
            "hoist_axum",
        ] {
            assert_eq!(log(text).unwrap(), text);
        }
        assert_eq!(log("").unwrap(), "info");
        for text in ["verbose", "all", "hoist=loud", "=="] {
            assert!(log(text).is_err(), "{text}");
        }
    }
}
