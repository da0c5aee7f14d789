//! Flags, their environment variables, and what they come to. The only reader of the environment.

mod plan;
mod secret;
mod site;
mod unit;
mod value;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::{
    CommandFactory as _, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};
use hoist_store::Durability;
use http::HeaderName;

pub use plan::{ConfigError, Plan};
pub use secret::Secret;
use unit::{bytes, span_ms};
use value::{address, at_least_one, host, log};

/// Resumable file upload: a page, and a server that loses nothing.
///
/// Sizes are bytes, or have a unit: 64KiB, 1MiB, 2TiB; 50MB are 50,000,000. Spans have one: 30s, 10m, 12h, 7d.
#[derive(Clone, Debug, Parser)]
#[command(name = "hoist", version, max_term_width = 100)]
pub struct Config {
    /// What to do; serve, if not given.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Folder of everything that is kept; made if it is not there.
    #[arg(long, global = true, env = "HOIST_DATA", default_value = "./data")]
    pub data: PathBuf,
    /// Folder of the page's script and style, as `make build` leaves it in target/site; if not given,
    /// LEPTOS_SITE_ROOT, else `site` beside the program or its folder, else target/site here.
    #[arg(long, env = "HOIST_SITE")]
    pub site: Option<PathBuf>,
    /// Address to listen on, as 0.0.0.0:80, or localhost:80 or a port alone; if not given,
    /// LEPTOS_SITE_ADDR, else 127.0.0.1:3000.
    #[arg(long, env = "HOIST_ADDR", global = true, value_parser = address)]
    pub addr: Option<SocketAddr>,
    /// What `cargo leptos` says.
    #[arg(long, env = "LEPTOS_SITE_ADDR", hide = true, global = true)]
    pub leptos_site_addr: Option<SocketAddr>,
    /// Path below which the upload protocol answers.
    #[arg(long, env = "HOIST_PREFIX", default_value = "/hoist")]
    pub prefix: String,
    /// Path at which the protocol of the jQuery plugin answers; `off` for nowhere.
    #[arg(long, env = "HOIST_CLASSIC", default_value = "/server.php")]
    pub classic: String,
    /// Who sees whose files; if not given, `shared` on loopback and with --password, else `cookie`.
    #[arg(long, env = "HOIST_VISITORS")]
    pub visitors: Option<Visitors>,
    /// Password that everybody must give who wants to see or send anything.
    #[arg(long, env = "HOIST_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,
    /// Header in which a proxy says who somebody is, as X-User; each sees their own. Nobody but the
    /// proxy may reach the port.
    #[arg(long, env = "HOIST_TRUST_HEADER", value_name = "NAME")]
    pub trust_header: Option<HeaderName>,
    /// Listen beyond loopback, for everybody who reaches the port.
    #[arg(long, env = "HOIST_OPEN")]
    pub open: bool,
    /// Names of this server, as a proxy in front of it passes them on. Addresses and localhost need
    /// not be named; other names are refused where everybody sees the same files.
    #[arg(long = "host", env = "HOIST_HOSTS", value_delimiter = ',', value_parser = host)]
    pub hosts: Vec<String>,
    /// Other origins whose pages may upload here, as `https://app.example`.
    #[arg(
        long = "allow-origin",
        env = "HOIST_ALLOW_ORIGINS",
        value_delimiter = ','
    )]
    pub allow_origins: Vec<String>,
    /// Size of a chunk: a power of two from 64KiB to 16MiB; if not given, 1MiB, or half a pack.
    #[arg(long, env = "HOIST_CHUNK_SIZE", value_parser = bytes)]
    pub chunk_size: Option<u64>,
    /// Largest request that carries chunks; below what a proxy in front allows.
    #[arg(long, env = "HOIST_PACK_SIZE", default_value = "32MiB", value_parser = bytes)]
    pub pack_size: u64,
    /// Largest file.
    #[arg(long, env = "HOIST_MAX_FILE_SIZE", default_value = "16TiB", value_parser = bytes)]
    pub max_file_size: u64,
    /// Smallest file.
    #[arg(long, env = "HOIST_MIN_FILE_SIZE", default_value = "0", value_parser = bytes)]
    pub min_file_size: u64,
    /// Most bytes of one visitor in all, finished and begun; no limit if not given. Where everybody
    /// sees the same files, of all together.
    #[arg(long, env = "HOIST_QUOTA", value_parser = bytes)]
    pub quota: Option<u64>,
    /// Most files and folders of one visitor in all; no limit if not given.
    #[arg(long, env = "HOIST_MAX_FILES")]
    pub max_files: Option<u64>,
    /// Most unfinished uploads of one visitor.
    #[arg(long, env = "HOIST_MAX_UNFINISHED", default_value_t = 100_000)]
    pub max_unfinished: u64,
    /// Types of files that are taken, as image/*, application/pdf or .txt; all if not given.
    #[arg(long = "type", env = "HOIST_TYPES", value_delimiter = ',')]
    pub types: Vec<String>,
    /// How much of the disk stays free.
    #[arg(long, env = "HOIST_KEEP_FREE", default_value = "256MiB", value_parser = bytes)]
    pub keep_free: u64,
    /// What survives of what was acknowledged: `power` for the death of the machine, which costs a sync,
    /// shared by all who wait; `process` for that of the server alone.
    #[arg(long, env = "HOIST_DURABILITY", value_enum, default_value_t = Durable::Power)]
    pub durability: Durable,
    /// How long an unfinished upload is kept after its last byte.
    #[arg(long, env = "HOIST_KEEP_UNFINISHED", default_value = "7d", value_parser = span_ms)]
    pub keep_unfinished: u64,
    /// How long a deleted file can be restored.
    #[arg(long, env = "HOIST_DELETE_GRACE", default_value = "30s", value_parser = span_ms)]
    pub delete_grace: u64,
    /// How long a request may stand still.
    #[arg(long, env = "HOIST_BODY_IDLE", default_value = "30s", value_parser = span_ms)]
    pub body_idle: u64,
    /// How long the head of a request may take, and a connection be kept between requests.
    #[arg(long, env = "HOIST_HEADER_TIMEOUT", default_value = "30s", value_parser = span_ms)]
    pub header_timeout: u64,
    /// Address on which Prometheus finds /metrics; nobody signs in there. Off if not given.
    #[arg(long, env = "HOIST_METRICS", value_parser = address)]
    pub metrics: Option<SocketAddr>,
    /// Where to tell what became of files, as `https://app.example/hook`; signed (see README).
    #[arg(
        long = "webhook",
        env = "HOIST_WEBHOOKS",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub webhooks: Vec<String>,
    /// What webhooks are signed with: `whsec_` and 24 to 64 random bytes in base64; several with commas
    /// while one takes the place of another.
    #[arg(
        long,
        env = "HOIST_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub webhook_secret: Option<Secret>,
    /// Webhooks may go to addresses that are not on the public internet, such as this machine's.
    #[arg(long, env = "HOIST_WEBHOOK_PRIVATE")]
    pub webhook_private: bool,
    /// Most connections at one time.
    #[arg(long, env = "HOIST_MAX_CONNECTIONS", default_value = "16384", value_parser = at_least_one)]
    pub max_connections: NonZeroUsize,
    /// Most connections at one time from one address; if not given, 1024, or no limit on loopback and with
    /// --trust-header, where all come through a proxy.
    #[arg(long, env = "HOIST_MAX_CONNECTIONS_PER_ADDRESS", value_parser = at_least_one)]
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// What is logged: error, warn, info, debug, trace or off, or as in RUST_LOG with a level for each module.
    #[arg(long, env = "HOIST_LOG", default_value = "info", value_parser = log)]
    pub log: String,
}

impl Config {
    /// Reads flags and environment. Ends the program, with words for who started it, if they cannot be read.
    #[must_use]
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            if let Some(name) = variable(&error) {
                let name = ContextValue::String(name);
                error.insert(ContextKind::InvalidArg, name);
            }
            error.exit()
        })
    }
}

/// The variable that has the wrong value, if it was no flag: clap names the flag for both.
fn variable(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = wrong.split_whitespace().next()?;
    let is_flag = |arg: std::ffi::OsString| arg.to_string_lossy().split('=').next() == Some(flag);
    if std::env::args_os().any(is_flag) {
        return None;
    }
    let command = Config::command();
    let arg = command
        .get_arguments()
        .find(|arg| arg.get_long() == flag.strip_prefix("--"))?;
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

/// What the program does instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Asks the server on --addr whether it lives; the exit code says so.
    Health,
    /// Reads every finished file in --data and says which are not as they were; the exit code says
    /// whether any is damaged. A server may run meanwhile.
    Verify,
    /// Removes what has expired from --data, which must have no server: that one does so by itself.
    Sweep {
        /// Only says what would go. A server may run meanwhile.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What survives of what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durable {
    /// The death of the server.
    Process,
    /// The death of the machine.
    Power,
}

impl From<Durable> for Durability {
    fn from(durable: Durable) -> Self {
        match durable {
            Durable::Process => Self::Process,
            Durable::Power => Self::Power,
        }
    }
}

/// Who sees whose files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Visitors {
    /// Everybody sees everything; files lie under their own names.
    Shared,
    /// Each browser sees its own.
    Cookie,
}
