//! The few kinds of elements that views are made of.
//!
//! Each is one function without type parameters. A view's type says all that is in it, and leptos
//! compiles building, hydrating and updating for each of them: written out in place, these same
//! buttons made the wasm more than half as large again.

use leptos::{ev, prelude::*};

/// A text that changes.
pub(super) type Text = Signal<String>;

/// What is made when it is shown.
type Make = Box<dyn Fn() -> AnyView + Send + Sync>;

/// Shows a view while something holds.
pub(super) fn when(
    is: Signal<bool>,
    make: impl Fn() -> AnyView + Send + Sync + 'static,
) -> AnyView {
    fn one(is: Signal<bool>, make: Make) -> AnyView {
        (move || if is.get() { make() } else { ().into_any() }).into_any()
    }
    // A memo, so that nothing is made anew as long as it goes on to hold.
    one(Memo::new(move |_| is.get()).into(), Box::new(make))
}

/// A text that stays.
pub(super) fn fixed(text: impl Into<String>) -> Text {
    Signal::stored(text.into())
}

/// A button: its class, what it says, what it is called for those who cannot see where it stands,
/// and what it does.
pub(super) fn button(
    class: &'static str,
    word: Text,
    label: Text,
    run: impl Fn() + 'static,
) -> AnyView {
    fn one(class: &'static str, word: Text, label: Text, run: Box<dyn Fn()>) -> AnyView {
        view! {
            <button type="button" class=class aria-label=label on:click=move |_: ev::MouseEvent| run()>
                {word}
            </button>
        }
        .into_any()
    }
    one(class, word, label, Box::new(run))
}

/// A paragraph with a text.
pub(super) fn paragraph(class: &'static str, text: Text) -> AnyView {
    view! { <p class=class>{text}</p> }.into_any()
}

/// A bar.
pub(super) fn progress(class: &'static str, label: Text, max: Text, value: Text) -> AnyView {
    view! { <progress class=class aria-label=label max=max value=value></progress> }.into_any()
}
