//! Which names the server answers to.
//!
//! A page anywhere on the web can point a name of its own at 127.0.0.1, or at an address of the house's
//! network, and is then, to the browser, of the same origin as a server there (DNS rebinding). So a
//! server whose files everybody shares answers only to names it knows. An address is no name: nobody
//! else can point it anywhere.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hoist_axum::ApiError;
use hoist_protocol::ErrorCode;
use http::header;

/// Names beside `localhost`.
pub(crate) type Hosts = Arc<[String]>;

pub(crate) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::HOST);
    let host = header.and_then(|host| host.to_str().ok()).or_else(|| {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str())
    });
    // Without a host it is no browser.
    if host.is_none_or(|host| is_known(host, &hosts)) {
        return next.run(request).await;
    }
    ApiError::new(
        ErrorCode::Forbidden,
        "This server does not know itself by this name; start it with --host NAME if it should",
    )
    .into_response()
}

pub(crate) fn is_known(host: &str, hosts: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let is_address = |name: &str| match name.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']').map(str::parse::<Ipv6Addr>);
            address.is_some_and(|address| address.is_ok())
        }
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || is_address(&lower)
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_to_addresses_and_its_own_names_only() {
        let hosts = ["files.example".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "127.8.8.8",
            "[::1]:3000",
            "[::1]",
            "192.168.0.1:3000",
            "[2001:db8::1]",
            "hoist.localhost:80",
            "Files.example:443",
        ] {
            assert!(is_known(host, &hosts), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:3000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil.example]:3000",
            "[::1",
            "2130706433",
            "",
            ":3000",
        ] {
            assert!(!is_known(host, &hosts), "{host}");
        }
    }
}
