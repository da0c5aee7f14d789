//! Figures for Prometheus, on a listener of their own: whoever may upload may not therefore watch.

use std::{fmt::Write as _, future::pending, sync::atomic::Ordering};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hoist_axum::HttpConfig;
use hoist_store::{Figures, Owner, Party, Store, StoreError};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Plan, RunError, Visitors};

/// Starts answering, if the plan says where; it knows the port then.
pub(crate) async fn start(
    store: &Store,
    plan: &mut Plan,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let Some(addr) = plan.metrics else {
        return Ok(None);
    };
    let failed = |source| RunError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    plan.metrics = Some(listener.local_addr().map_err(failed)?);
    if !addr.ip().is_loopback() {
        tracing::warn!(%addr, "figures are told to everybody who reaches this address: nobody signs in there");
    }
    let is_shared = plan.trust_header.is_none() && plan.visitors == Visitors::Shared;
    let router = router(
        store.clone(),
        plan.http.clone(),
        plan.store.quota,
        is_shared,
    );
    let serve = plan.serve.clone();
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = hoist_axum::serve(listener, router, serve, pending()).await {
            tracing::warn!(cause = %error, "figures are told no more");
        }
    })))
}

/// A router that answers `/metrics` and nothing else.
pub fn router(store: Store, http: HttpConfig, quota: Option<u64>, is_shared: bool) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .with_state(Source {
            store,
            http,
            quota,
            is_shared,
        })
}

#[derive(Clone)]
struct Source {
    store: Store,
    http: HttpConfig,
    quota: Option<u64>,
    /// Whether all have one owner, and so one quota.
    is_shared: bool,
}

impl Source {
    async fn text(&self) -> Result<String, StoreError> {
        let now = self.http.clock.now();
        let figures = self.store.figures(now).await?;
        let packs = self.http.packs.load(Ordering::Relaxed);
        let quota_left = if self.is_shared {
            let all = Party::known(Owner::shared());
            self.store.limits(now, &all).await?.quota_left
        } else {
            None
        };
        Ok(text(&figures, packs, self.quota, quota_left))
    }
}

async fn answer(State(source): State<Source>) -> Response {
    match source.text().await {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (kind, text).into_response()
        }
        Err(error) => {
            tracing::warn!(cause = %error, "no figures");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// The exposition format (prometheus.io/docs/instrumenting/exposition_formats).
fn text(figures: &Figures, packs: u64, quota: Option<u64>, quota_left: Option<u64>) -> String {
    let mut text = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP hoist_{name} {help}\n# TYPE hoist_{name} {kind}\nhoist_{name} {value}"
        );
    };
    let counters = [
        (
            "received_bytes_total",
            "Bytes of files that have come.",
            figures.received_bytes,
        ),
        (
            "acknowledged_bytes_total",
            "Bytes that were acknowledged for the first time.",
            figures.acknowledged_bytes,
        ),
        (
            "repeated_bytes_total",
            "Bytes that had come before.",
            figures.repeated_bytes,
        ),
        ("packs_total", "Packs that were let in.", packs),
        (
            "evictions_total",
            "Writers that lost their chunk to a newer attempt or another sender.",
            figures.evictions,
        ),
        ("syncs_total", "Rounds of syncs.", figures.syncs),
    ];
    for (name, help, value) in counters {
        one(name, "counter", help, value.to_string());
    }
    let seconds = format!(
        "{}.{:06}",
        figures.sync_us / 1_000_000,
        figures.sync_us % 1_000_000
    );
    one(
        "sync_seconds_total",
        "counter",
        "How long the syncs took together.",
        seconds,
    );
    let gauges = [
        (
            "unfinished_uploads",
            "Uploads that are not finished.",
            Some(figures.unfinished),
        ),
        ("finished_files", "Finished files.", Some(figures.finished)),
        (
            "finished_bytes",
            "Bytes of finished files.",
            Some(figures.finished_bytes),
        ),
        (
            "free_bytes",
            "Bytes that the disk has free above what stays free.",
            Some(figures.free_bytes),
        ),
        ("quota_bytes", "Bytes that one visitor may have.", quota),
        (
            "quota_left_bytes",
            "Bytes that all visitors may still reserve, where they share their files.",
            quota_left,
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            one(name, "gauge", help, value.to_string());
        }
    }
    text
}
