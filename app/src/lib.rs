//! hoist-app.
use leptos::prelude::*;
/// App
#[component]
pub fn App() -> impl IntoView {}
