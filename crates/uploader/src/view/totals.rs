//! The line above the list: all files together.

use leptos::prelude::*;

use crate::{Uploader, format};

/// Sums, rate and time left, and what can be done with all files at once.
#[component]
pub(super) fn TotalsBar(uploader: Uploader) -> impl IntoView {
    let overview = uploader.overview();
    let watch = overview.clone();
    let is_shown = Memo::new(move |_| watch.read().totals.files > 0);
    move || {
        let overview = overview.clone();
        is_shown.get().then(move || bar(uploader, &overview))
    }
    .into_any()
}

fn bar(uploader: Uploader, overview: &ArcReadSignal<crate::Overview>) -> impl IntoView + use<> {
    let of = |ask: fn(&crate::Overview) -> bool| {
        let overview = overview.clone();
        Memo::new(move |_| ask(&overview.read()))
    };
    let is_busy = of(|o| o.totals.unsettled > 0);
    let is_paused = of(|o| o.paused.is_some());
    let has_failed = of(|o| o.totals.failed > 0);
    let can_start = of(|o| !o.is_started && o.totals.unsettled > 0);
    let has_done = of(|o| o.totals.finished > 0);
    let way_out = {
        let overview = overview.clone();
        Memo::new(move |_| {
            let overview = overview.read();
            overview
                .paused
                .filter(|_| overview.totals.unsettled > 0)
                .and_then(format::way_out)
        })
    };
    let (shown, whole, summary) = (overview.clone(), overview.clone(), overview.clone());
    let button = "hoist-uploader__button hoist-uploader__button--small";
    view! {
        <div class="hoist-uploader__totals">
            <p class="hoist-uploader__summary">{move || format::summary(&summary.read())}</p>
            <progress
                class="hoist-uploader__progress hoist-uploader__progress--total"
                aria-label="All files"
                max=move || whole.read().totals.bytes.max(1).to_string()
                value=move || {
                    let totals = shown.read().totals;
                    if totals.bytes == 0 { u64::from(totals.unsettled == 0) } else { totals.shown }.to_string()
                }
            ></progress>
            <div class="hoist-uploader__all">
                <Show when=move || can_start.get()>
                    <button type="button" class=button on:click=move |_| uploader.start()>
                        "Start"
                    </button>
                </Show>
                <Show when=move || is_busy.get()>
                    <button
                        type="button"
                        class=button
                        on:click=move |_| {
                            if is_paused.get_untracked() {
                                uploader.resume_all();
                            } else {
                                uploader.pause_all();
                            }
                        }
                    >
                        {move || if is_paused.get() { "Resume all" } else { "Pause all" }}
                    </button>
                    <button type="button" class=button on:click=move |_| uploader.cancel_all()>
                        "Cancel all"
                    </button>
                </Show>
                <Show when=move || has_failed.get()>
                    <button type="button" class=button on:click=move |_| uploader.retry_all()>
                        "Try failed again"
                    </button>
                </Show>
                <Show when=move || !is_busy.get() && has_done.get()>
                    <button type="button" class=button on:click=move |_| uploader.clear()>
                        "Clear list"
                    </button>
                </Show>
            </div>
            {move || way_out.get().map(|words| view! { <p class="hoist-uploader__held">{words}</p> })}
        </div>
    }
    .into_any()
}
