//! The list: of ten thousand rows only those near the ones that are seen.

use std::sync::Arc;

use crate::Erase as _;
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::{
    file_row::row,
    parts::{Item, Text, fixed, list, paragraph, when},
    virtual_list,
};
use crate::{Uploader, VisibleRow};

/// The rows, or what stands there while there is none.
pub(super) fn file_list(uploader: Uploader) -> AnyView {
    let count = uploader.count();
    let is_empty = Memo::new(move |_| count.get() == 0);
    let words = "Nothing here yet. Choose as much as you like: an upload continues where it stopped, \
                 and each file is checked to be equal.";
    (
        when(is_empty.into(), move || {
            paragraph("hoist-uploader__empty", fixed(words))
        }),
        when(Signal::derive(move || !is_empty.get()), move || {
            rows(uploader)
        }),
    )
        .erase()
}

fn rows(uploader: Uploader) -> AnyView {
    let scroller = NodeRef::<html::Div>::new();
    let (count, visible) = (uploader.count(), uploader.visible());
    let first = uploader.board().first;

    let on_scroll = move || {
        if let Some(scroller) = scroller.get_untracked() {
            let top = f64::from(scroller.scroll_top());
            let height = f64::from(row_height(&scroller));
            uploader.show_from(virtual_list::first_row(top, height));
        }
    };
    // The rows that are not drawn take their place as padding. Written by `setProperty`, because a
    // strict policy ignores style attributes; and not at all in a first HTML, which has all rows.
    let (drawn, all) = (visible.clone(), count.clone());
    Effect::new(move || {
        drawn.track();
        let (above, below) = virtual_list::spacers(first.get(), all.get());
        if let Some(scroller) = scroller.get() {
            set_padding(&scroller, "padding-block-start", above);
            set_padding(&scroller, "padding-block-end", below);
        }
    });
    let only_problems = uploader.shows_only_problems();
    Effect::new(move |before: Option<()>| {
        only_problems.track();
        // Another list is read from its beginning.
        if let Some(scroller) = scroller.get_untracked().filter(|_| before.is_some()) {
            scroller.set_scroll_top(0);
        }
    });
    let size: Text = Memo::new(move |_| count.get().to_string()).into();
    let items = Signal::derive(move || {
        let item = |file: VisibleRow| Item {
            serial: file.serial,
            make: Arc::new(move || row(uploader, &file, size)),
        };
        visible.get().into_iter().map(item).collect()
    });

    view! {
        <div
            class="hoist-uploader__list"
            node_ref=scroller
            tabindex="0"
            role="region"
            aria-label="Files"
            on:scroll=move |_| on_scroll()
        >
            <ul class="hoist-uploader__rows" role="list">
                {list(items)}
            </ul>
        </div>
    }
    .erase()
}

/// The element with the rows.
fn rows_of(scroller: &Element) -> Option<HtmlElement> {
    scroller.first_element_child()?.dyn_into().ok()
}

/// The height of a row as it is drawn now, in pixels; all are equal.
fn row_height(scroller: &Element) -> i32 {
    rows_of(scroller)
        .and_then(|rows| rows.first_element_child())
        .and_then(|row| row.dyn_into::<HtmlElement>().ok())
        .map_or(0, |row| row.offset_height())
}

fn set_padding(scroller: &Element, side: &str, rows: u32) {
    let height = u64::from(row_height(scroller).unsigned_abs());
    let Some(style) = rows_of(scroller).map(|rows| rows.style()) else {
        return;
    };
    if rows > 0 {
        let _ = style.set_property(side, &format!("{}px", u64::from(rows) * height));
    } else if style.length() > 0 {
        let _ = style.remove_property(side);
    }
}
