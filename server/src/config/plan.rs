//! What the flags come to, checked against each other.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hoist_axum::{HttpConfig, ServeConfig};
use hoist_protocol::{ChunkLayout, Limits, MAX_CHUNK_SIZE, MAX_FILE_SIZE, MIN_CHUNK_SIZE};
use hoist_store::{Durability, StoreConfig};
use http::HeaderName;
use leptos::config::LeptosOptions;
use tokio::net::{TcpListener, TcpSocket};

use super::{
    Config, Secret, Visitors, site,
    unit::{show_bytes, show_ms},
};
use crate::{RunError, Webhooks};

/// Room that a pack needs beside the bytes of one chunk.
const MANIFEST_ROOM: u64 = 1 << 10;

/// Why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Beyond loopback without saying so.
    #[error(
        "{0} can be reached from other machines: start with --password (or HOIST_PASSWORD) for a \
         sign-in, with --trust-header NAME behind a proxy that signs in, or with --open \
         (HOIST_OPEN=true) if everybody may upload"
    )]
    NotOpen(SocketAddr),
    /// A password without a letter.
    #[error("--password is empty; leave it out for none")]
    Password,
    /// Two things decide who somebody is.
    #[error("--trust-header says who somebody is, so --visitors and --password cannot")]
    TrustHeader,
    /// The prefix is no path.
    #[error("--prefix must be like /hoist: it begins with a slash and does not end with one")]
    Prefix,
    /// The path of the classic dialect is none, or is the protocol's.
    #[error("--classic must be like /server.php, neither --prefix nor below it; or off")]
    Classic,
    /// The chunk size is not one.
    #[error("--chunk-size must be a power of two from 64KiB to 16MiB")]
    ChunkSize,
    /// A chunk does not fit into a pack.
    #[error("--pack-size must be larger than --chunk-size, and at least 66KiB")]
    PackSize,
    /// Files are too large, or none is allowed.
    #[error("--max-file-size must be at least --min-file-size, and at most 16TiB")]
    FileSize,
    /// Whoever reaches the page would get all files, and the key of the cookies.
    #[error(
        "the data folder {} is in {}, of which --site gives everything to everybody",
        .data.display(),
        .root.display()
    )]
    Site {
        /// The data folder.
        data: PathBuf,
        /// The folder of the site.
        root: PathBuf,
    },
    /// A webhook has no address that may be told.
    #[error(
        "--webhook must be like https://app.example/hook, without a name and password; an address \
         that is not on the public internet needs --webhook-private"
    )]
    Webhook,
    /// Webhooks cannot be signed.
    #[error(
        "--webhook needs --webhook-secret (or HOIST_WEBHOOK_SECRET): whsec_ and 24 to 64 random \
         bytes in base64, as from: echo whsec_$(head -c 32 /dev/urandom | base64)"
    )]
    WebhookSecretMissing,
    /// What webhooks are to be signed with is no key.
    #[error(
        "--webhook-secret (or HOIST_WEBHOOK_SECRET) must be whsec_ and 24 to 64 random bytes in base64, \
         as from: echo whsec_$(head -c 32 /dev/urandom | base64)"
    )]
    WebhookSecretInvalid,
    /// What is taken is no type.
    #[error("--type {0:?} must be like image/*, application/pdf or .txt")]
    Type(String),
    /// An origin is no origin.
    #[error("--allow-origin {0:?} must be like https://app.example, without a path")]
    Origin(String),
}

/// All that the program does, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen.
    pub addr: SocketAddr,
    /// Path below which the protocol answers.
    pub prefix: String,
    /// Where the classic dialect answers, if anywhere.
    pub classic: Option<String>,
    /// Who sees whose files.
    pub visitors: Visitors,
    /// What everybody must know, if anything.
    pub password: Option<Secret>,
    /// The header by which a proxy says who somebody is; instead of `visitors`.
    pub trust_header: Option<HeaderName>,
    /// Whether only known names of the server are answered.
    pub checks_hosts: bool,
    /// Further known names.
    pub hosts: Vec<String>,
    /// Where the site was built.
    pub site: LeptosOptions,
    /// What the store is told.
    pub store: StoreConfig,
    /// What the router is told; who is who and the clock are added by `compose`.
    pub http: HttpConfig,
    /// Where figures are told, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Who is told what becomes of files, if anybody.
    pub webhooks: Option<Webhooks>,
    /// What the accept loop is told.
    pub serve: ServeConfig,
}

impl Config {
    /// Checks the flags against each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], in one line for who started the program.
    pub fn check(self) -> Result<Plan, ConfigError> {
        let addr = self.listens_on();
        let is_loopback = addr.ip().is_loopback();
        let has_sign_in = self.password.is_some() || self.trust_header.is_some();
        if !is_loopback && !self.open && !has_sign_in {
            return Err(ConfigError::NotOpen(addr));
        }
        let is_empty = |password: &Secret| password.reveal().is_empty();
        if self.password.as_ref().is_some_and(is_empty) {
            return Err(ConfigError::Password);
        }
        if self.trust_header.is_some() && (self.visitors.is_some() || self.password.is_some()) {
            return Err(ConfigError::TrustHeader);
        }
        if !is_path(&self.prefix) {
            return Err(ConfigError::Prefix);
        }
        let classic = (self.classic != "off").then(|| self.classic.clone());
        if let Some(path) = &classic
            && (!is_path(path) || is_below(path, &self.prefix) || is_below(&self.prefix, path))
        {
            return Err(ConfigError::Classic);
        }
        for origin in &self.allow_origins {
            let rest = ["https://", "http://"]
                .iter()
                .find_map(|scheme| origin.strip_prefix(scheme));
            if rest.is_none_or(|host| host.is_empty() || host.contains('/')) {
                return Err(ConfigError::Origin(origin.clone()));
            }
        }
        // Those who share a password share their files, unless they are told apart.
        let is_shared = is_loopback || self.password.is_some();
        let visitors = self.visitors.unwrap_or(if is_shared {
            Visitors::Shared
        } else {
            Visitors::Cookie
        });
        // A page under a foreign name has no cookie of ours to abuse; without one, the name is all
        // that tells it from a page of ours. Beyond loopback a header comes through a proxy only.
        let has_no_cookie = self.password.is_none()
            && match &self.trust_header {
                Some(_) => is_loopback,
                None => visitors == Visitors::Shared,
            };
        let webhooks = Webhooks::new(
            &self.webhooks,
            self.webhook_secret.as_ref(),
            self.webhook_private,
        )?;
        let data = std::path::absolute(&self.data).unwrap_or_else(|_| self.data.clone());
        let site = site::options(self.site.as_deref());
        let root = PathBuf::from(site.site_root.as_ref());
        if site::is_within(&data, &root) {
            return Err(ConfigError::Site { data, root });
        }
        Ok(Plan {
            data,
            addr,
            visitors,
            checks_hosts: has_no_cookie,
            password: self.password.clone(),
            trust_header: self.trust_header.clone(),
            store: StoreConfig {
                limits: self.limits()?,
                quota: self.quota,
                files: self.max_files,
                unfinished_ttl_ms: self.keep_unfinished,
                delete_grace_ms: self.delete_grace,
                keep_free: self.keep_free,
                durability: self.durability.into(),
                subscribers: webhooks
                    .as_ref()
                    .map(Webhooks::subscribers)
                    .unwrap_or_default(),
                ..StoreConfig::default()
            },
            metrics: self.metrics,
            webhooks,
            http: HttpConfig {
                allowed_origins: self.allow_origins,
                body_idle_ms: self.body_idle,
                drain_size: self.pack_size,
                ..HttpConfig::default()
            },
            serve: ServeConfig {
                header_timeout_ms: self.header_timeout,
                connections: self.max_connections.get(),
                per_address: match self.max_connections_per_address {
                    Some(most) => most.get(),
                    None if is_loopback || self.trust_header.is_some() => usize::MAX,
                    None => 1024,
                },
                ..ServeConfig::default()
            },
            site,
            prefix: self.prefix,
            classic,
            hosts: self.hosts,
        })
    }

    /// The address, from whoever says one.
    #[must_use]
    pub fn listens_on(&self) -> SocketAddr {
        self.addr
            .or(self.leptos_site_addr)
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)))
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let max_chunk_size = self
            .pack_size
            .checked_sub(MANIFEST_ROOM)
            .filter(|&room| room >= MIN_CHUNK_SIZE)
            .map(|room| 1 << room.min(MAX_CHUNK_SIZE).ilog2())
            .ok_or(ConfigError::PackSize)?;
        let defaults = Limits::default();
        let chunk_size = match self.chunk_size {
            None => defaults.chunk_size.min(max_chunk_size),
            Some(size) if ChunkLayout::new(0, size).is_err() => return Err(ConfigError::ChunkSize),
            Some(size) if size > max_chunk_size => return Err(ConfigError::PackSize),
            Some(size) => size,
        };
        if self.max_file_size > MAX_FILE_SIZE || self.max_file_size < self.min_file_size {
            return Err(ConfigError::FileSize);
        }
        // An empty variable is none.
        let types: Vec<String> = self
            .types
            .iter()
            .filter(|rule| !rule.is_empty())
            .cloned()
            .collect();
        if let Some(wrong) = types.iter().find(|rule| !is_type(rule)) {
            return Err(ConfigError::Type(wrong.clone()));
        }
        Ok(Limits {
            max_chunk_size,
            chunk_size,
            pack_size: self.pack_size,
            file_size: self.max_file_size,
            min_file_size: self.min_file_size,
            unfinished: self.max_unfinished,
            types,
            ..defaults
        })
    }
}

/// Whether it is a rule as in an `accept` attribute: any other would take nothing.
fn is_type(rule: &str) -> bool {
    if rule.contains(char::is_whitespace) {
        return false;
    }
    match rule.strip_prefix('.') {
        Some(extension) => !extension.is_empty() && !extension.contains('/'),
        None => rule
            .split_once('/')
            .is_some_and(|(main, sub)| !main.is_empty() && !sub.is_empty() && !sub.contains('/')),
    }
}

/// Whether a router can be nested there.
fn is_path(path: &str) -> bool {
    path.len() > 1
        && path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains(['{', '}', '*', '?', '#', ' '])
}

/// Whether a path is another one or below it.
fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Plan {
    /// The page's script, if it is not where the site should be: without it the page is a plain form.
    pub(crate) fn missing_script(&self) -> Option<PathBuf> {
        let script = site::script(Path::new(self.site.site_root.as_ref()), &self.site);
        let script = std::path::absolute(&script).unwrap_or(script);
        (!script.is_file()).then_some(script)
    }

    /// Takes the address.
    ///
    /// # Errors
    ///
    /// [`RunError::Bind`].
    pub fn bind(&self) -> Result<TcpListener, RunError> {
        let addr = self.addr;
        listen(addr).map_err(|source| RunError::Bind { addr, source })
    }
}

/// Connections that may wait to be accepted; the kernel takes less if it allows less. With the usual 128
/// some of a thousand that come at once are reset.
const BACKLOG: u32 = 4096;

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that starts again need not wait for the connections of the one before to be forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.store.limits;
        let visitors = match (&self.trust_header, self.visitors) {
            (Some(name), _) => format!("by-header:{name}"),
            (None, Visitors::Shared) => "shared".to_owned(),
            (None, Visitors::Cookie) => "cookie".to_owned(),
        };
        let sign_in = match (&self.password, &self.trust_header) {
            (Some(_), _) => "password",
            (None, Some(_)) => "proxy",
            (None, None) => "none",
        };
        write!(
            f,
            "data={} prefix={} classic={} visitors={visitors} sign-in={sign_in} chunk-size={} pack-size={} max-file-size={} keep-free={}",
            self.data.display(),
            self.prefix,
            self.classic.as_deref().unwrap_or("off"),
            show_bytes(limits.chunk_size),
            show_bytes(limits.pack_size),
            show_bytes(limits.file_size),
            show_bytes(self.store.keep_free),
        )?;
        write!(
            f,
            " durability={}",
            match self.store.durability {
                Durability::Process => "process",
                Durability::Power => "power",
            }
        )?;
        write!(
            f,
            " max-unfinished={} keep-unfinished={} delete-grace={} body-idle={} header-timeout={} max-connections={}",
            limits.unfinished,
            show_ms(self.store.unfinished_ttl_ms),
            show_ms(self.store.delete_grace_ms),
            show_ms(self.http.body_idle_ms),
            show_ms(self.serve.header_timeout_ms),
            self.serve.connections,
        )?;
        if limits.min_file_size > 0 {
            write!(f, " min-file-size={}", show_bytes(limits.min_file_size))?;
        }
        if let Some(webhooks) = &self.webhooks {
            write!(f, " webhooks={}", webhooks.subscribers().len())?;
        }
        if let Some(metrics) = self.metrics {
            write!(f, " metrics=http://{metrics}/metrics")?;
        }
        if let Some(quota) = self.store.quota {
            write!(f, " quota={}", show_bytes(quota))?;
        }
        if let Some(files) = self.store.files {
            write!(f, " max-files={files}")?;
        }
        for (name, list) in [
            ("types", &limits.types),
            ("hosts", &self.hosts),
            ("origins", &self.http.allowed_origins),
        ] {
            if !list.is_empty() {
                write!(f, " {name}={}", list.join(","))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
