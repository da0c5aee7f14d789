//! All files that are stored: to download, rename and delete. Closed until somebody asks.

use hoist_protocol::{DeleteResult, ListCounts, Receipt, UploadId, UploadStatus, route};
use leptos::{ev, html, prelude::*, task::spawn_local};

use crate::{delete_files, finished_files, rename_file, restore_files, storage_used};

/// The list's signals, to be passed around.
#[derive(Clone, Copy)]
struct List {
    files: RwSignal<Vec<StoredFile>>,
    next: RwSignal<Option<String>>,
    problem: RwSignal<Option<String>>,
    is_asking: RwSignal<bool>,
    counts: RwSignal<ListCounts>,
}

#[derive(Clone, Copy)]
struct StoredFile {
    id: UploadId,
    receipt: RwSignal<Receipt>,
    is_deleted: RwSignal<bool>,
}

impl List {
    /// Asks for a page; the first one replaces what is there.
    fn ask(self, after: Option<String>) {
        if self.is_asking.get_untracked() {
            return;
        }
        self.is_asking.set(true);
        spawn_local(async move {
            let is_first = after.is_none();
            match finished_files(after).await {
                Ok(page) => {
                    let found = page.uploads.into_iter().filter_map(|upload| match upload {
                        UploadStatus::Finished { receipt } => Some(StoredFile {
                            id: receipt.id,
                            receipt: RwSignal::new(receipt),
                            is_deleted: RwSignal::new(false),
                        }),
                        _ => None,
                    });
                    let found: Vec<_> = found.collect();
                    self.files.try_update(|files| {
                        if is_first {
                            files.clear();
                        }
                        files.extend(found);
                    });
                    self.next.set(page.next);
                    self.counts.set(page.counts);
                    self.problem.set(None);
                }
                Err(error) => self.problem.set(Some(error.to_string())),
            }
            self.is_asking.set(false);
        });
    }

    /// Looks at an answer; says what went wrong and asks for the sums anew.
    fn after<T>(self, answer: Result<T, crate::AppError>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.problem.set(None);
                let counts = self.counts;
                spawn_local(async move {
                    if let Ok(now) = storage_used().await {
                        counts.set(now);
                    }
                });
                Some(value)
            }
            Err(error) => {
                self.problem.set(Some(error.to_string()));
                None
            }
        }
    }
}

/// The section: how much is stored, and on demand what.
#[component]
pub(crate) fn Stored(
    /// Where the upload protocol is mounted.
    endpoint: String,
    /// How much there is.
    counts: RwSignal<ListCounts>,
) -> impl IntoView {
    let list = List {
        files: RwSignal::new(Vec::new()),
        next: RwSignal::new(None),
        problem: RwSignal::new(None),
        is_asking: RwSignal::new(false),
        counts,
    };
    let endpoint = StoredValue::new(endpoint);
    let details = NodeRef::<html::Details>::new();
    let on_toggle = move |_: ev::Event| {
        if details
            .get_untracked()
            .is_some_and(|details| details.open())
        {
            list.ask(None);
        }
    };
    let summary = move || {
        let counts = counts.get();
        let files = if counts.finished == 1 {
            "file"
        } else {
            "files"
        };
        format!(
            "{} {files}, {}",
            counts.finished,
            hoist_leptos::format_bytes(counts.finished_bytes)
        )
    };
    view! {
        <details class="stored" node_ref=details on:toggle=on_toggle>
            <summary class="stored__summary">
                "On the server: " <span class="stored__sum">{summary}</span>
            </summary>
            <p class="stored__problem" role="alert">
                {list.problem}
            </p>
            <ul class="stored__list" role="list">
                <For each=move || list.files.get() key=|file| file.id let:file>
                    {row(list, endpoint, file)}
                </For>
            </ul>
            <div class="stored__more">
                <Show when=move || list.next.get().is_some()>
                    <button
                        type="button"
                        class="stored__button"
                        on:click=move |_| list.ask(list.next.get_untracked())
                    >
                        "Show more"
                    </button>
                </Show>
                <Show when=move || list.is_asking.get()>
                    <span>"Loading…"</span>
                </Show>
            </div>
        </details>
    }
    .into_any()
}

fn row(list: List, endpoint: StoredValue<String>, file: StoredFile) -> impl IntoView {
    let StoredFile {
        id,
        receipt,
        is_deleted,
    } = file;
    let is_renaming = RwSignal::new(false);
    let field = NodeRef::<html::Input>::new();
    let shown_name = move || {
        receipt.with(|receipt| {
            receipt
                .stored_as
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
    };
    let folder = move || {
        receipt.with(|receipt| {
            receipt
                .stored_as
                .rsplit_once('/')
                .map(|(folder, _)| format!("{folder}/"))
        })
    };
    let size = move || receipt.with(|receipt| hoist_leptos::format_bytes(receipt.size));
    let href = move || {
        receipt.with(|receipt| {
            endpoint.with_value(|endpoint| format!("{endpoint}{}", route::file(id, &receipt.name)))
        })
    };
    let rename = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(name) = field.get_untracked().map(|field| field.value()) else {
            return;
        };
        spawn_local(async move {
            if let Some(new) = list.after(rename_file(id, name).await) {
                receipt.set(new);
                is_renaming.set(false);
            }
        });
    };
    let delete = move |_| {
        spawn_local(async move {
            match list.after(delete_files(vec![id]).await).as_deref() {
                Some([DeleteResult::Refused(body)]) => list.problem.set(Some(body.message.clone())),
                Some(_) => is_deleted.set(true),
                None => {}
            }
        });
    };
    let restore = move |_| {
        spawn_local(async move {
            match list.after(restore_files(vec![id]).await).as_deref() {
                Some([DeleteResult::Restored { .. }]) => is_deleted.set(false),
                Some([DeleteResult::Refused(body)]) => list.problem.set(Some(body.message.clone())),
                Some(_) => list
                    .problem
                    .set(Some("It was too late to take that back.".to_owned())),
                None => {}
            }
        });
    };
    let label = move |verb: &'static str| move || format!("{verb} {}", shown_name());
    let actions = move || {
        if is_deleted.get() {
            view! {
                <button type="button" class="stored__button" aria-label=label("Undo delete of") on:click=restore>
                    "Undo delete"
                </button>
            }
            .into_any()
        } else {
            view! {
                <a class="stored__button" href=href download=shown_name aria-label=label("Download")>
                    "Download"
                </a>
                <button
                    type="button"
                    class="stored__button"
                    aria-label=label("Rename")
                    on:click=move |_| is_renaming.update(|is| *is = !*is)
                >
                    "Rename"
                </button>
                <button type="button" class="stored__button" aria-label=label("Delete") on:click=delete>
                    "Delete"
                </button>
            }
            .into_any()
        }
    };
    view! {
        <li class="stored__row" class=("stored__row--deleted", is_deleted)>
            <div class="stored__name">
                <bdi class="stored__folder">{folder}</bdi>
                <bdi>{shown_name}</bdi>
                <span class="stored__size">{size}</span>
            </div>
            <div class="stored__actions">{actions}</div>
            <Show when=move || is_renaming.get() && !is_deleted.get()>
                <form class="stored__rename" on:submit=rename>
                    <input
                        class="stored__field"
                        node_ref=field
                        aria-label=label("New name for")
                        value=shown_name
                        required
                        maxlength="255"
                    />
                    <button type="submit" class="stored__button">"Save"</button>
                </form>
            </Show>
        </li>
    }
    .into_any()
}
