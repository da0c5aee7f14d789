//! The list: of ten thousand rows only those near the ones that are seen.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::{
    file_row::row,
    parts::{fixed, paragraph, when},
    virtual_list,
};
use crate::Uploader;

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
        .into_any()
}

fn rows(uploader: Uploader) -> AnyView {
    let scroller = NodeRef::<html::Div>::new();
    let list = NodeRef::<html::Ul>::new();
    let (count, visible) = (uploader.count(), uploader.visible());
    let first = uploader.board().first;

    let on_scroll = move || {
        if let (Some(scroller), Some(list)) = (scroller.get_untracked(), list.get_untracked()) {
            let top = f64::from(scroller.scroll_top());
            uploader.show_from(virtual_list::first_row(top, row_height(&list)));
        }
    };
    // The rows that are not drawn take their place as padding. Written by `setProperty`, because a
    // strict policy ignores style attributes; and not at all in a first HTML, which has all rows.
    let (rows_drawn, all) = (visible.clone(), count.clone());
    Effect::new(move || {
        rows_drawn.track();
        let (above, below) = virtual_list::spacers(first.get(), all.get());
        if let Some(list) = list.get() {
            let height = row_height(&list);
            set_padding(&list, "padding-block-start", above, height);
            set_padding(&list, "padding-block-end", below, height);
        }
    });
    let size: Signal<String> = Memo::new(move |_| count.get().to_string()).into();

    view! {
        <div
            class="hoist-uploader__list"
            node_ref=scroller
            tabindex="0"
            role="region"
            aria-label="Files"
            on:scroll=move |_| on_scroll()
        >
            <ul class="hoist-uploader__rows" role="list" node_ref=list>
                <For each=move || visible.get() key=|row| row.serial children=move |file| row(uploader, &file, size)/>
            </ul>
        </div>
    }
    .into_any()
}

/// The height of a row as it is drawn now; all are equal.
fn row_height(list: &Element) -> f64 {
    list.first_element_child()
        .and_then(|row| row.dyn_into::<HtmlElement>().ok())
        .map_or(0.0, |row| f64::from(row.offset_height()))
}

#[expect(clippy::cast_precision_loss, reason = "rows, not atoms")]
fn set_padding(list: &HtmlElement, side: &str, rows: usize, height: f64) {
    let style = list.style();
    if rows > 0 {
        let _ = style.set_property(side, &format!("{}px", rows as f64 * height));
    } else if style.length() > 0 {
        let _ = style.remove_property(side);
    }
}
