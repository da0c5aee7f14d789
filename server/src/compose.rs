//! What the program is made of: the one place where pages, protocol and visitors meet.

use std::sync::Arc;

use axum::{Json, Router, middleware, routing::get};
use hoist_app::server::Backend;
use hoist_axum::{
    Authorizer, Clock, CookieConfig, CookieKey, CookieVisitors, HttpConfig, PasswordConfig,
    Passwords, Shared, TrustedHeader,
};
use hoist_store::Store;
use serde_json::json;

use crate::{Plan, RunError, Visitors, hosts, key};

/// Name of the key file in the data folder.
const KEY_FILE: &str = "visitor.key";

/// Puts the router together.
///
/// # Errors
///
/// [`RunError::Key`], if visitors are told apart or sign in, and the key of their cookies cannot be used.
pub fn compose(store: &Store, plan: &Plan, clock: &Clock) -> Result<Router, RunError> {
    let cookies = match (&plan.trust_header, plan.visitors) {
        (None, Visitors::Cookie) => {
            let key = key(plan)?;
            Some(CookieVisitors::new(key, CookieConfig::default()))
        }
        _ => None,
    };
    let mut authorize = match (&plan.trust_header, &cookies) {
        (Some(name), _) => Authorizer::new(TrustedHeader::new(name.clone())),
        (None, Some(visitors)) => Authorizer::new(visitors.clone()),
        (None, None) => Authorizer::new(Shared),
    };
    let mut passwords = None;
    if let Some(password) = &plan.password {
        let config = PasswordConfig {
            clock: clock.clone(),
            ..PasswordConfig::default()
        };
        let made = Passwords::new(password.reveal(), key(plan)?, authorize, config);
        authorize = Authorizer::new(made.clone());
        passwords = Some(made);
    }
    let config = HttpConfig {
        authorize,
        clock: clock.clone(),
        ..plan.http.clone()
    };
    let pages = hoist_app::server::pages(
        Backend {
            store: store.clone(),
            http: config.clone(),
            endpoint: plan.prefix.clone(),
            sign_out: passwords.as_ref().map(|_| Passwords::SIGN_OUT.to_owned()),
        },
        plan.site.clone(),
    );
    let api = hoist_axum::router(store.clone(), config.clone());
    let mut router = pages.nest(&plan.prefix, api);
    if let Some(path) = &plan.classic {
        router = router.nest(path, hoist_axum::classic(store.clone(), config));
    }
    if let Some(passwords) = &passwords {
        router = passwords.protect(router);
    }
    if let Some(visitors) = &cookies {
        router = router.layer(visitors.layer());
    }
    let counted = store.clone();
    router = router.route("/healthz", get(move || health(counted.clone())));
    if plan.checks_hosts {
        let hosts: hosts::Hosts = Arc::from(plan.hosts.clone());
        router = router.layer(middleware::from_fn_with_state(hosts, hosts::check));
    }
    Ok(router)
}

fn key(plan: &Plan) -> Result<CookieKey, RunError> {
    let file = plan.data.join(KEY_FILE);
    key::load(&file).map_err(|source| RunError::Key { file, source })
}

/// Says that it lives, and how many bytes of files it has received since it started.
async fn health(store: Store) -> Json<serde_json::Value> {
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "receivedBytes": store.received_bytes(),
    }))
}
