//! The whole component.

use crate::Erase as _;
use hoist_protocol::{ListResponse, route};
use leptos::prelude::*;

use super::{drop_zone::drop_zone, file_list::file_list, live::live, totals::totals_bar};
use crate::{UploaderOptions, shared, use_uploader};

/// A drop zone, the list of files, and what can be done with them.
///
/// Works without any option, with a server's router mounted at `/hoist`. To do more than the
/// component shows, make the handle yourself with [`use_uploader`] and give it as `uploader`.
///
/// # Examples
///
/// ```
/// use hoist_leptos::{Restrictions, Uploader, UploaderOptions};
/// use leptos::prelude::*;
///
/// #[component]
/// fn Photos() -> impl IntoView {
///     let options = UploaderOptions {
///         restrictions: Restrictions {
///             accept: vec!["image/*".to_owned()],
///             max_file_size: Some(50_000_000),
///             ..Restrictions::default()
///         },
///         on_success: Some(Callback::new(|receipt| leptos::logging::log!("{receipt:?}"))),
///         ..UploaderOptions::default()
///     };
///     view! { <Uploader options/> }
/// }
/// ```
///
/// # Server rendering
///
/// Give the server's list as `initial`: the first HTML shows it, the browser gets it with the
/// page, and hydration changes nothing. Without JavaScript the form posts to the same store.
/// `data-hydrated` appears on the element when the page has come alive.
///
/// # Styling
///
/// [`crate::STYLESHEET`]; custom properties `--uploader-*`; class names `hoist-uploader__…`. No
/// style is written inline before the page is alive, so a strict policy holds. Pictures of images need
/// `img-src blob:` and a worker from the page's own origin; where a policy forbids these, the page
/// makes the pictures itself, or the type of the file stands there.
///
/// # Accessibility
///
/// A real file input with a label; every button is named after its file; changes are said in one
/// polite live region, at milestones only.
#[component]
pub fn Uploader(
    /// What it may do, where it sends, and whom it tells.
    #[prop(optional)]
    options: UploaderOptions,
    /// What the server has of this visitor; read on the server only, and sent along with the page.
    #[prop(default = None, into)]
    initial: Option<ListResponse>,
    /// [`UploaderOptions::chunk_size`].
    #[prop(optional)]
    chunk_size: Option<u64>,
    /// [`UploaderOptions::thumbnail_width`].
    #[prop(optional)]
    thumbnail_width: Option<u32>,
    /// [`UploaderOptions::thumbnail_height`].
    #[prop(optional)]
    thumbnail_height: Option<u32>,
    /// A handle that was made already; what else is given is then left aside.
    #[prop(optional)]
    uploader: Option<crate::Uploader>,
) -> impl IntoView {
    let uploader = uploader.unwrap_or_else(|| {
        let mut options = options;
        options.chunk_size = chunk_size.or(options.chunk_size);
        options.thumbnail_width = thumbnail_width.unwrap_or(options.thumbnail_width);
        options.thumbnail_height = thumbnail_height.unwrap_or(options.thumbnail_height);
        let given = initial.or_else(|| options.initial.take());
        // The browser reads what the server has rendered with, and not its own arguments.
        options.initial = shared(move || given);
        use_uploader(options)
    });
    let options = uploader.options();
    let action = format!("{}{}", options.endpoint, route::FORM);
    let zone = if options.in_form {
        drop_zone(uploader, Some(action))
    } else {
        let zone = drop_zone(uploader, None);
        view! {
            <form
                class="hoist-uploader__form"
                method="post"
                enctype="multipart/form-data"
                action=action
                on:submit=move |event| event.prevent_default()
            >
                {zone}
            </form>
        }
        .erase()
    };

    let is_alive = RwSignal::new(false);
    Effect::new(move || is_alive.set(true));
    let (overview, picking) = (uploader.overview(), uploader.is_picking());
    let unsettled: Signal<String> = Memo::new(move |_| {
        (overview.read().totals.unsettled + u32::from(picking.get())).to_string()
    })
    .into();

    view! {
        <section
            class="hoist-uploader"
            aria-label="Upload files"
            data-hydrated=move || is_alive.get().then_some("")
            data-unsettled=unsettled
        >
            {zone}
            {totals_bar(uploader)}
            {file_list(uploader)}
            {live(uploader)}
        </section>
    }
    .erase()
}
