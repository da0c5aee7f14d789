//! Tells other servers, over HTTP, what became of files: signed, at least once, and nobody but those
//! that are configured. Signatures are those of the Standard Webhooks specification
//! (github.com/standard-webhooks), which has libraries for receivers in most languages.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hoist_axum::{Clock, on_event};
use hoist_protocol::Receipt;
use hoist_store::{Event, Store};
use http::{Request, Uri, header, uri::Scheme};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use serde::Serialize;
use tokio::{task::JoinHandle, time::timeout};

use crate::{ConfigError, RunError, Secret, public::is_public};

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, by the specification.
const SECRET: std::ops::RangeInclusive<usize> = 24..=64;

/// Where to, how signed, and whether into the network that the server stands in.
#[derive(Clone)]
pub struct Webhooks {
    urls: Vec<Uri>,
    keys: Vec<Vec<u8>>,
    private: bool,
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhooks({})", self.urls.len())
    }
}

impl Webhooks {
    /// Checks addresses and secrets; `None` if there is no address.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Webhook`], [`ConfigError::WebhookSecretMissing`],
    /// [`ConfigError::WebhookSecretInvalid`].
    pub(crate) fn new(
        urls: &[String],
        secret: Option<&Secret>,
        private: bool,
    ) -> Result<Option<Self>, ConfigError> {
        if urls.is_empty() {
            return Ok(None);
        }
        let urls = urls
            .iter()
            .map(|url| parse(url, private).ok_or(ConfigError::Webhook))
            .collect::<Result<_, _>>()?;
        // Several, while one takes the place of another: each receiver finds the one it knows.
        let keys: Vec<_> = secret
            .map(Secret::reveal)
            .filter(|secret| !secret.is_empty())
            .ok_or(ConfigError::WebhookSecretMissing)?
            .split(',')
            .map(|text| {
                let key = BASE64_STANDARD
                    .decode(text.trim().strip_prefix(PREFIX)?)
                    .ok()?;
                SECRET.contains(&key.len()).then_some(key)
            })
            .collect::<Option<_>>()
            .ok_or(ConfigError::WebhookSecretInvalid)?;
        Ok(Some(Self {
            urls,
            keys,
            private,
        }))
    }

    /// The names under which events are kept for the receivers. They are logged, and a secret may be in
    /// the address, so they have its host and a hash of all of it.
    pub(crate) fn subscribers(&self) -> Vec<String> {
        let name = |url: &Uri| {
            let hash = hmac_sha256::Hash::hash(url.to_string().as_bytes());
            let host = url.host().unwrap_or_default();
            format!("webhook {host} {:016x}", u64::from_be_bytes(first(&hash)))
        };
        self.urls.iter().map(name).collect()
    }

    /// The signatures of a message: one for each secret.
    fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let message = format!("{id}.{seconds}.{body}");
        let sign = |key: &Vec<u8>| {
            let mac = hmac_sha256::HMAC::mac(message.as_bytes(), key);
            format!("v1,{}", BASE64_STANDARD.encode(mac))
        };
        self.keys.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

fn first(hash: &[u8; 32]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    [a, b, c, d, e, f, g, h]
}

fn parse(url: &str, private: bool) -> Option<Uri> {
    let url: Uri = url.parse().ok()?;
    let host = url.host()?;
    let is_http = [&Scheme::HTTP, &Scheme::HTTPS].contains(&url.scheme()?);
    let has_user = url.authority()?.as_str().contains('@');
    // Names are looked at when they are resolved.
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_allowed = private || literal.map_or(!host.starts_with('['), is_public);
    (is_http && !has_user && is_allowed).then_some(url)
}

/// Starts telling each receiver, until the store closes.
pub(crate) fn start(
    store: &Store,
    webhooks: &Webhooks,
    clock: &Clock,
) -> Result<Vec<JoinHandle<()>>, RunError> {
    let webhooks = Arc::new(webhooks.clone());
    let client = client(webhooks.private)?;
    let pairs = webhooks.urls.iter().zip(webhooks.subscribers());
    Ok(pairs
        .map(|(url, subscriber)| {
            let (store, clock) = (store.clone(), clock.clone());
            let (url, client, webhooks) = (url.clone(), client.clone(), Arc::clone(&webhooks));
            tokio::spawn(async move {
                let now = clock.clone();
                let tell = move |event| {
                    let seconds = now.now().0 / 1000;
                    let request = request(&webhooks, &url, &event, seconds);
                    let client = client.clone();
                    async move { send(&client, request?).await }
                };
                on_event(store, &subscriber, clock, tell).await;
            })
        })
        .collect())
}

/// What is told.
#[derive(Serialize)]
struct Message<'a> {
    r#type: String,
    timestamp: u64,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    owner: &'a str,
    receipt: &'a Receipt,
}

fn request(
    webhooks: &Webhooks,
    url: &Uri,
    event: &Event,
    seconds: u64,
) -> Result<Request<Full<Bytes>>, String> {
    let message = Message {
        r#type: format!("file.{}", event.kind.as_str()),
        timestamp: event.at.0,
        data: Data {
            owner: event.owner.as_str(),
            receipt: &event.receipt,
        },
    };
    let body = serde_json::to_string(&message).map_err(|error| error.to_string())?;
    // The same for each attempt, so that a receiver knows what it has got before.
    let id = format!("msg_{}_{}", event.receipt.id, event.number);
    Request::post(url.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("hoist/", env!("CARGO_PKG_VERSION")),
        )
        .header("webhook-signature", webhooks.sign(&id, seconds, &body))
        .header("webhook-timestamp", seconds)
        .header("webhook-id", id)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())
}

type Sender = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// Follows no redirect, keeps to no proxy, and connects to what the name was found to be.
fn client(private: bool) -> Result<Sender, RunError> {
    let mut http = HttpConnector::new_with_resolver(Resolver { private });
    http.enforce_http(false);
    http.set_connect_timeout(Some(PATIENCE));
    let provider = || rustls::crypto::ring::default_provider();
    // The machine's certificates; where there are none, as in a container of one program, Mozilla's.
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider())
        .or_else(|_| HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider()));
    let connector = connector.map_err(RunError::Tls)?;
    let connector = connector
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

async fn send(client: &Sender, request: Request<Full<Bytes>>) -> Result<(), String> {
    let answer = timeout(PATIENCE, client.request(request))
        .await
        .map_err(|_| "no answer came in time".to_owned())?
        .map_err(|error| chain(&error))?;
    let status = answer.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the receiver answered {status}"))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}

/// Finds a name's addresses, those that may be reached. The connection goes to what was looked at
/// here, so a name cannot be another one a moment later.
#[derive(Clone, Copy, Debug)]
struct Resolver {
    private: bool,
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = std::pin::Pin<
        Box<dyn std::future::Future<Output = Result<Self::Response, io::Error>> + Send>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|addr| private || is_public(addr.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(io::Error::other(
                    "the name has no address on the public internet; --webhook-private allows others",
                ));
            }
            Ok(allowed.into_iter())
        })
    }
}
