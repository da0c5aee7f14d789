//! Where files come in.

use crate::Erase as _;
use leptos::{attr::custom::custom_attribute, ev, html, prelude::*};
use web_sys::HtmlInputElement;

use super::parts::Text;
use crate::{Uploader, format, pick};

/// The zone that takes drops, with the labelled inputs for everybody else. `action` is where the
/// button sends the form around it, if that form is not ours.
pub(super) fn drop_zone(uploader: Uploader, action: Option<String>) -> AnyView {
    let is_foreign = action.is_some();
    let options = uploader.options();
    let accept = options.restrictions.accept.join(",");
    let accept = (!accept.is_empty()).then_some(accept);
    let is_multiple = options.restrictions.max_files != Some(1);
    let files = NodeRef::<html::Input>::new();
    let folder = NodeRef::<html::Input>::new();
    // What was chosen before the page came alive gives no event any more.
    Effect::new(move || {
        for input in [files.get(), folder.get()].into_iter().flatten() {
            pick::take_input(uploader, &input);
        }
        // The button that is for pages without JavaScript must not be what Enter presses in a field
        // of the form around it.
        let picks = files.get().and_then(|input| input.parent_element());
        let send = picks.and_then(|label| label.parent_element()?.last_element_child());
        if let Some(send) = send {
            let _ = send.set_attribute("type", "button");
        }
    });
    let on_change = move |event: ev::Event| {
        let input: HtmlInputElement = event_target(&event);
        pick::take_input(uploader, &input);
    };

    let zone = NodeRef::<html::Div>::new();
    let on_page = options.drop_on_page;
    Effect::new(move || {
        if let Some(zone) = zone.get() {
            pick::take_drops(uploader, &zone, on_page);
        }
    });
    let unreadable = uploader.unreadable();
    let said = uploader.board().problem;
    let problem: Text = Signal::derive(move || match unreadable.get() {
        0 => said.get(),
        count => format!(
            "{} could not be read and are not in the list.",
            format::files(u64::from(count))
        ),
    });

    view! {
        <div
            class="hoist-uploader__drop"
            node_ref=zone
        >
            <span class="hoist-uploader__arrow" aria-hidden="true"></span>
            <p class="hoist-uploader__hint">"Drop files or folders here, or"</p>
            <div class="hoist-uploader__picks">
                <label class="hoist-uploader__pick hoist-uploader__button hoist-uploader__button--main">
                    <input
                        class="hoist-uploader__input"
                        type="file"
                        name="file"
                        multiple=is_multiple
                        accept=accept
                        node_ref=files
                        on:change=on_change
                    />
                    "Choose files"
                </label>
                {options
                    .directory
                    .then(|| {
                        view! {
                            <label class="hoist-uploader__pick hoist-uploader__button">
                                <input
                                    class="hoist-uploader__input"
                                    type="file"
                                    name="file"
                                    multiple
                                    {..custom_attribute("webkitdirectory", "")}
                                    node_ref=folder
                                    on:change=on_change
                                />
                                "Choose a folder"
                            </label>
                        }
                    })}
                <button
                    class="hoist-uploader__button hoist-uploader__send"
                    type="submit"
                    formaction=action
                    formmethod=is_foreign.then_some("post")
                    formenctype=is_foreign.then_some("multipart/form-data")
                    formnovalidate=is_foreign
                >
                    "Upload"
                </button>
            </div>
            <p class="hoist-uploader__problem" role="alert">
                {problem}
            </p>
        </div>
    }
    .erase()
}
