//! Where files come in.

use crate::Erase as _;
use leptos::{attr::custom::custom_attribute, ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{DragEvent, EventTarget, HtmlInputElement, Node};

use super::parts::Text;
use crate::{Uploader, format, pick};

const INPUT: &str = "hoist-uploader__input";

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

    let drag = Drag {
        uploader,
        is_over: RwSignal::new(false),
    };
    let on_page = options.drop_on_page;
    if on_page {
        drag.listen_to_page();
    }
    let here = move |event: ev::DragEvent| {
        if !on_page {
            drag.handle(&event);
        }
    };
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
            class=("hoist-uploader__drop--over", move || drag.is_over.get())
            on:dragenter=here
            on:dragover=here
            on:dragleave=here
            on:drop=here
        >
            <span class="hoist-uploader__arrow" aria-hidden="true"></span>
            <p class="hoist-uploader__hint">"Drop files or folders here, or"</p>
            <div class="hoist-uploader__picks">
                <label class="hoist-uploader__pick hoist-uploader__button hoist-uploader__button--main">
                    <input
                        class=INPUT
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
                                    class=INPUT
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

/// Files that are dragged over the zone, or over the page.
#[derive(Clone, Copy)]
struct Drag {
    uploader: Uploader,
    is_over: RwSignal<bool>,
}

impl Drag {
    fn handle(self, event: &DragEvent) {
        let kind = event.type_();
        let is_over = match kind.as_str() {
            "drop" => false,
            // Not counted with those that enter: a row that goes while something is over it tells of no leaving.
            "dragleave" => self.is_over.get_untracked() && goes_on(event),
            _ => true,
        };
        let data = event.data_transfer();
        // Text that is dragged into a field is none of ours.
        let files = data.filter(|data| data.types().includes(&"Files".into(), 0));
        if (files.is_some() || !is_over) && self.is_over.get_untracked() != is_over {
            self.is_over.set(is_over);
        }
        // Somebody else takes them.
        if event.default_prevented() || is_foreign_input(event) {
            return;
        }
        if let Some(data) = files {
            event.prevent_default();
            if kind == "drop" {
                pick::take_drop(self.uploader, &data);
            }
        }
    }

    /// What misses the zone would make the browser leave the page, to show the file.
    fn listen_to_page(self) {
        Effect::new(move || {
            for kind in ["dragenter", "dragover", "dragleave", "drop"] {
                let handle = window_event_listener_untyped(kind, move |event| {
                    self.handle(event.unchecked_ref());
                });
                on_cleanup(move || handle.remove());
            }
        });
    }
}

/// Whether the browser itself gives a drop to a field for files that is not ours.
fn is_foreign_input(event: &DragEvent) -> bool {
    let target = event.target();
    let input = target.and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    input.is_some_and(|input| input.type_() == "file" && input.class_name() != INPUT)
}

/// Whether what leaves one element is over another one of the same zone, or the same page.
fn goes_on(event: &DragEvent) -> bool {
    let node =
        |target: Option<EventTarget>| target.and_then(|target| target.dyn_into::<Node>().ok());
    let (to, zone) = (node(event.related_target()), node(event.current_target()));
    to.is_some_and(|to| zone.is_none_or(|zone| zone.contains(Some(&to))))
}
