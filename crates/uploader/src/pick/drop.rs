//! Files and folders that were dropped: all of them, nested, with their paths.

use std::{collections::VecDeque, rc::Rc};

use gloo_file::File;
use hoist_engine::Picked;
use js_sys::{Array, Function};
use leptos::prelude::{StoredValue, WithValue as _, on_cleanup};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{
    DataTransfer, Element, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

use super::{TURN_MS, add_files, describe, folder_of, to_files};
use crate::{Uploader, browser, driver::Driver};

/// Entries whose files are asked for at the same time.
const AT_ONCE: usize = 64;

/// Takes what is dropped on this element, or anywhere on its page, until the effect that calls this ends.
pub(crate) fn take_drops(uploader: Uploader, zone: &Element, on_page: bool) {
    let take = Closure::<dyn Fn(DataTransfer)>::new(move |data| take_drop(uploader, &data));
    let end = StoredValue::new_local(listen(zone, on_page, &take.into_js_value()));
    on_cleanup(move || {
        let _ = end.try_with_value(|end| end.call0(&JsValue::NULL));
    });
}

#[wasm_bindgen(module = "/js/drops.js")]
extern "C" {
    #[wasm_bindgen(js_name = takeDrops)]
    fn listen(zone: &Element, on_page: bool, take: &JsValue) -> Function;
}

/// Takes what was dropped. Must be called in the handler itself: afterwards the browser forgets it.
fn take_drop(uploader: Uploader, data: &DataTransfer) {
    let Some(driver) = uploader.driver() else {
        return;
    };
    let items = data.items();
    let mut entries = VecDeque::new();
    for at in 0..items.length() {
        let Some(item) = items.get(at).filter(|item| item.kind() == "file") else {
            continue;
        };
        if let Ok(Some(entry)) = item.webkit_get_as_entry() {
            entries.push_back(entry);
        }
    }
    if entries.is_empty() {
        // A browser without entries, or a file dragged out of a page.
        if let Some(list) = data.files().filter(|list| list.length() > 0) {
            add_files(&driver, to_files(&list));
        }
        return;
    }
    driver.begin_picking();
    browser::spawn(async move {
        let mut walk = Walk {
            driver,
            unreadable: 0,
            turn: browser::now_ms(),
        };
        walk.run(entries).await;
        walk.driver.end_picking(walk.unreadable);
    });
}

/// A walk through what was dropped. Files are added as they are found: they travel while the rest
/// is still being looked at.
struct Walk {
    driver: Rc<Driver>,
    unreadable: u32,
    turn: f64,
}

impl Walk {
    async fn run(&mut self, mut waiting: VecDeque<FileSystemEntry>) {
        let mut files = Vec::with_capacity(AT_ONCE);
        while let Some(entry) = waiting.pop_front() {
            if entry.is_directory() {
                // In the order of the folder, so the files before it come first.
                self.add(&mut files).await;
                let children = self.children(entry.unchecked_ref()).await;
                for child in children.into_iter().rev() {
                    waiting.push_front(child);
                }
            } else {
                files.push(entry);
                if files.len() >= AT_ONCE {
                    self.add(&mut files).await;
                }
            }
        }
        self.add(&mut files).await;
    }

    /// All entries of a folder: browsers give a hundred at a time, and an empty list at the end.
    async fn children(&mut self, folder: &FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
        let reader = folder.create_reader();
        let mut all = Vec::new();
        loop {
            let batch = browser::promised(|resolve, reject| {
                let _ = reader.read_entries_with_callback_and_callback(resolve, reject);
            })
            .await;
            let Ok(batch) = batch else {
                self.unreadable = self.unreadable.saturating_add(1);
                return all;
            };
            let batch = Array::from(&batch);
            if batch.length() == 0 {
                break;
            }
            all.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
            self.let_the_page_live().await;
        }
        if all.is_empty() {
            let path = folder.full_path();
            self.driver.add([(
                Picked {
                    name: folder.name(),
                    path: folder_of(&path).to_owned(),
                    is_directory: true,
                    ..Picked::default()
                },
                None,
            )]);
        }
        all
    }

    /// Adds the files of some entries.
    async fn add(&mut self, entries: &mut Vec<FileSystemEntry>) {
        if entries.is_empty() {
            return;
        }
        // All are asked for before the first answer is waited for.
        let asked: Vec<(String, js_sys::Promise)> = entries
            .drain(..)
            .map(|entry| {
                let folder = folder_of(&entry.full_path()).to_owned();
                let promise = js_sys::Promise::new(&mut |resolve, reject| {
                    let entry: &FileSystemFileEntry = entry.unchecked_ref();
                    entry.file_with_callback_and_callback(&resolve, &reject);
                });
                (folder, promise)
            })
            .collect();
        let promises: Array = asked
            .iter()
            .map(|(_, promise)| JsValue::from(promise))
            .collect();
        let settled =
            wasm_bindgen_futures::JsFuture::from(js_sys::Promise::all_settled(&promises)).await;
        let results = settled
            .map(|results| Array::from(&results))
            .unwrap_or_default();
        let mut found = Vec::with_capacity(asked.len());
        for ((folder, _), result) in asked.into_iter().zip(results.iter()) {
            let file = browser::property(&result, "value")
                .and_then(|file| file.dyn_into::<web_sys::File>().ok());
            match file {
                Some(file) => found.push((describe(&file, Some(&folder)), Some(File::from(file)))),
                None => self.unreadable = self.unreadable.saturating_add(1),
            }
        }
        self.driver.add(found);
        self.let_the_page_live().await;
    }

    async fn let_the_page_live(&mut self) {
        if browser::now_ms() - self.turn > TURN_MS {
            browser::sleep(0).await;
            self.turn = browser::now_ms();
        }
    }
}
