//! What stands in the page beside the component, and works without a script: why a form has failed,
//! the stored files with a button each, archives of them, and the way out.
//!
//! Only the server renders it, behind everything that hydrates: it costs no byte of wasm.

use std::collections::BTreeSet;

use hoist_leptos::format_bytes;
use hoist_protocol::{ListResponse, Receipt, UploadStatus, route};
use leptos::prelude::*;

/// What it is rendered with.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    /// Where the upload protocol is mounted.
    pub(crate) endpoint: String,
    /// A page of this visitor's finished files.
    pub(crate) files: ListResponse,
    /// Why the last form failed.
    pub(crate) problem: Option<&'static str>,
    /// Where one signs out.
    pub(crate) sign_out: Option<String>,
}

/// The section at the end of the body.
pub(crate) fn view(plain: Plain) -> impl IntoView {
    let Plain {
        endpoint,
        files,
        problem,
        sign_out,
    } = plain;
    let zip = format!("{endpoint}{}", route::ZIP);
    let folders: Vec<_> = folders(&files)
        .into_iter()
        .map(|folder| {
            let href = format!("{endpoint}{}", route::zip(&folder));
            view! {
                <li>
                    <a href=href download>
                        "Download the folder " <bdi>{folder}</bdi> " as a zip"
                    </a>
                </li>
            }
        })
        .collect();
    let more = files.next.map(|next| format!("/?after={next}"));
    let rows: Vec<_> = files
        .uploads
        .into_iter()
        .filter_map(|upload| match upload {
            UploadStatus::Finished { receipt } => Some(row(&endpoint, &receipt)),
            _ => None,
        })
        .collect();
    let title = if rows.is_empty() {
        "No files are stored yet"
    } else {
        "Stored files"
    };
    view! {
        {problem
            .map(|problem| {
                view! {
                    <p class="page__notice" role="alert">
                        {problem} " " <a href="/">"Close"</a>
                    </p>
                }
            })}
        <noscript>
            <section class="page page--plain">
                <h2>{title}</h2>
                <ul class="stored__list" role="list">
                    {rows}
                </ul>
                <ul class="stored__list" role="list">
                    {folders}
                </ul>
                {more.map(|href| view! { <a href=href>"Older files"</a> })}
            </section>
        </noscript>
        <p class="page page--plain page__zip">
            <a href=zip download>
                "Download all stored files as a zip"
            </a>
        </p>
        {sign_out
            .map(|action| {
                view! {
                    <form class="page page--plain" method="post" action=action>
                        <button type="submit" class="stored__button">
                            "Sign out"
                        </button>
                    </form>
                }
            })}
    }
}

/// The outermost folders of the files that are shown.
fn folders(files: &ListResponse) -> BTreeSet<String> {
    let outermost = |upload: &UploadStatus| match upload {
        UploadStatus::Finished { receipt } => {
            let (folder, _) = receipt.stored_as.split_once('/')?;
            Some(folder.to_owned())
        }
        _ => None,
    };
    files.uploads.iter().filter_map(outermost).collect()
}

fn row(endpoint: &str, receipt: &Receipt) -> impl IntoView + use<> {
    let name = receipt.stored_as.clone();
    let last = name.rsplit('/').next().unwrap_or_default();
    let href = format!("{endpoint}{}", route::file(receipt.id, last));
    let action = format!("{endpoint}{}", route::FORM_DELETE);
    let label = format!("Delete {name}");
    view! {
        <li class="stored__row">
            <div class="stored__name">
                <a href=href>
                    <bdi>{name}</bdi>
                </a>
                " "
                <span class="stored__size">{format_bytes(receipt.size)}</span>
            </div>
            <form method="post" action=action>
                <input type="hidden" name="id" value=receipt.id.to_string()/>
                <button type="submit" class="stored__button" aria-label=label>
                    "Delete"
                </button>
            </form>
        </li>
    }
}
