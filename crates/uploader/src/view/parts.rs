//! The few kinds of elements that views are made of.
//!
//! Each is one function without type parameters. A view's type says all that is in it, and leptos
//! compiles building, hydrating and updating for each type: written out in place, these same
//! buttons made the wasm half as large again. A page around the component is welcome to them.

use std::{fmt, sync::Arc};

use crate::{Erase as _, browser};
use leptos::{ev, prelude::*};

/// A text that changes.
pub type Text = Signal<String>;

/// What is made when it is shown.
type Make = Arc<dyn Fn() -> AnyView + Send + Sync>;

/// One entry of a list.
#[derive(Clone)]
pub struct Item {
    /// What tells it from all others, ever.
    pub serial: u64,
    /// Makes its view.
    pub make: Make,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.serial)
    }
}

/// Shows a list; an entry that stays is not made anew.
#[must_use]
pub fn list(items: Signal<Vec<Item>>) -> AnyView {
    view! { <For each=move || items.get() key=|item| item.serial children=|item| (item.make)()/> }
        .erase()
}

/// Shows a view while something holds.
pub fn when(is: Signal<bool>, make: impl Fn() -> AnyView + Send + Sync + 'static) -> AnyView {
    fn one(is: Signal<bool>, make: Make) -> AnyView {
        // A memo, so that nothing is made anew as long as it goes on to hold.
        let is = Memo::new(move |_| is.get());
        (move || if is.get() { make() } else { ().erase() }).erase()
    }
    one(is, Arc::new(make))
}

/// A text that stays.
pub fn fixed(text: impl Into<String>) -> Text {
    Signal::stored(text.into())
}

/// The one text while something holds, else the other.
pub fn either(is: Signal<bool>, yes: &'static str, no: &'static str) -> Text {
    Memo::new(move |_| if is.get() { yes } else { no }.to_owned()).into()
}

/// A button: its class, what it says, what it is called for those who cannot see where it stands,
/// and what it does. If that makes it go away, its row has the focus, or what else is near.
pub fn button(class: &'static str, word: Text, label: Text, run: impl Fn() + 'static) -> AnyView {
    fn one(class: &'static str, word: Text, label: Text, run: Box<dyn Fn()>) -> AnyView {
        let press = move |_: ev::MouseEvent| {
            keep_focus();
            run();
        };
        view! {
            <button type="button" class=class aria-label=label on:click=press>
                {word}
            </button>
        }
        .erase()
    }
    one(class, word, label, Box::new(run))
}

/// Keeps the place of who uses a keyboard, before something is done by which what has the focus goes: its row has the focus
/// then, or what else is near. A [`button`] does so by itself.
pub fn keep_focus() {
    browser::keep_focus();
}

/// A link to a file, to be saved under `name`.
#[must_use]
pub fn download(class: &'static str, href: Text, name: Text) -> AnyView {
    let label: Text = Signal::derive(move || format!("Download {}", name.get()));
    view! {
        <a class=class href=href download=name aria-label=label>
            "Download"
        </a>
    }
    .erase()
}

/// A paragraph with a text.
#[must_use]
pub fn paragraph(class: &'static str, text: Text) -> AnyView {
    view! {
        <p class=class>
            <bdi>{text}</bdi>
        </p>
    }
    .erase()
}

/// A bar.
#[must_use]
pub fn progress(class: &'static str, label: Text, max: Text, value: Text) -> AnyView {
    view! { <progress class=class aria-label=label max=max value=value></progress> }.erase()
}
