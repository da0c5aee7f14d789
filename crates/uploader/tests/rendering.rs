//! What the first HTML says, and that a server may render many at once.

use hoist_leptos::{Restrictions, Uploader, UploaderOptions, use_uploader};
use hoist_protocol::{
    ByteRange, Checksum, Kind, ListCounts, ListResponse, Receipt, Unfinished, UploadId,
    UploadStatus,
};
use leptos::prelude::*;

fn id(number: u8) -> UploadId {
    UploadId::from_bytes([number; 16])
}

fn finished(number: u8, name: &str) -> UploadStatus {
    UploadStatus::Finished {
        receipt: Receipt {
            id: id(number),
            name: name.to_owned(),
            path: String::new(),
            kind: Kind::File,
            size: 1_500_000,
            hash: Some(Checksum::from_bytes([number; 32])),
            last_modified: Some(5),
            media_type: None,
            stored_as: name.to_owned(),
            finished: 7,
        },
    }
}

fn unfinished(number: u8, name: &str) -> UploadStatus {
    UploadStatus::Unfinished(Unfinished {
        id: id(number),
        name: name.to_owned(),
        path: "disks/old".to_owned(),
        size: Some(4_000_000),
        last_modified: Some(5),
        media_type: None,
        chunk_size: 1 << 20,
        received: vec![ByteRange::new(0, 1 << 20)],
        expires: 9,
        checksums: Vec::new(),
    })
}

fn list(uploads: Vec<UploadStatus>) -> ListResponse {
    ListResponse {
        uploads,
        next: None,
        counts: ListCounts::default(),
    }
}

fn html(initial: Option<ListResponse>) -> String {
    Owner::new().with(|| view! { <Uploader initial/> }.to_html())
}

#[test]
fn the_first_html_says_what_is_unfinished_and_what_is_there() {
    let html = html(Some(list(vec![
        unfinished(1, "linux.iso"),
        finished(2, "photo.jpg"),
    ])));
    for part in [
        "data-state=\"needs_file\"",
        "Choose it again to go on · 26 % · 1 of 4 MB",
        "disks/old/",
        "linux.iso",
        "data-state=\"done\"",
        "Done · 1.5 MB",
        &format!("data-hash=\"{}\"", "02".repeat(32)),
        &format!("/hoist/files/{}/photo.jpg", "02".repeat(16)),
        "aria-setsize=\"2\"",
        "data-unsettled=\"0\"",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    let (unfinished, finished) = (html.find("linux.iso"), html.find("photo.jpg"));
    assert!(unfinished < finished, "what needs somebody comes first");
}

#[test]
fn another_name_or_folder_than_the_picked_one_is_said() {
    for (stored_as, said) in [
        ("disks/a.txt", None),
        ("disks/a (2).txt", Some("a (2).txt")),
        ("disks (2)/a.txt", Some("disks (2)/a.txt")),
        ("a.txt", Some("a.txt")),
        ("disks/aa.txt", Some("aa.txt")),
    ] {
        let mut upload = finished(1, "a.txt");
        if let UploadStatus::Finished { receipt } = &mut upload {
            "disks".clone_into(&mut receipt.path);
            stored_as.clone_into(&mut receipt.stored_as);
        }
        let html = html(Some(list(vec![upload])));
        let words = said.map_or_else(
            || ">Done · 1.5 MB<".to_owned(),
            |said| format!(">Done · 1.5 MB · stored as {said}<"),
        );
        assert!(html.contains(&words), "{stored_as}: {html}");
    }
}

#[test]
fn inside_a_form_of_the_page_there_is_no_other_and_the_button_says_where_to() {
    let options = UploaderOptions {
        in_form: true,
        ..UploaderOptions::default()
    };
    let html = Owner::new().with(|| view! { <Uploader options/> }.to_html());
    assert!(!html.contains("<form"), "{html}");
    for part in [
        "formaction=\"/hoist/form\"",
        "formmethod=\"post\"",
        "formenctype=\"multipart/form-data\"",
        "formnovalidate",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let own = self::html(None);
    assert!(
        own.contains("<form") && !own.contains("formaction"),
        "{own}"
    );
}

#[test]
fn without_a_script_there_is_a_form_that_works_and_nothing_is_said_to_be_alive() {
    let html = html(None);
    for part in [
        "method=\"post\"",
        "enctype=\"multipart/form-data\"",
        "action=\"/hoist/form\"",
        "type=\"submit\"",
        "name=\"file\"",
        "webkitdirectory",
        "Nothing here yet",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(!html.contains("data-hydrated"));
    assert!(!html.contains("disabled"));
}

#[test]
fn a_name_is_text_and_never_html() {
    let html = html(Some(list(vec![finished(
        1,
        "<img src=x onerror=alert(1)>\"'&.txt",
    )])));
    assert!(!html.contains("<img"), "{html}");
    assert!(
        html.contains("&lt;img src=x onerror=alert(1)&gt;"),
        "{html}"
    );
}

#[test]
fn no_style_is_written_inline_since_a_strict_policy_would_drop_it() {
    let many: Vec<_> = (0..200).map(|n| finished(n, &format!("{n}.txt"))).collect();
    let html = html(Some(list(many)));
    assert!(!html.contains("style="), "{html}");
}

#[test]
fn of_a_long_list_fifty_rows_are_drawn_and_all_are_counted() {
    let many: Vec<_> = (0..200).map(|n| finished(n, &format!("{n}.txt"))).collect();
    let html = html(Some(list(many)));
    assert_eq!(html.matches("data-key=").count(), 50);
    assert_eq!(html.matches("aria-setsize=\"200\"").count(), 50);
    assert!(html.contains("aria-posinset=\"50\""));
    assert!(!html.contains("aria-posinset=\"51\""));
}

#[test]
fn what_is_not_taken_is_said_to_the_dialog_too() {
    let options = UploaderOptions {
        restrictions: Restrictions {
            accept: vec![".pdf".to_owned(), "image/*".to_owned()],
            max_files: Some(1),
            ..Restrictions::default()
        },
        directory: false,
        endpoint: "/files/v1".to_owned(),
        ..UploaderOptions::default()
    };
    let html = Owner::new().with(|| view! { <Uploader options/> }.to_html());
    assert!(html.contains("accept=\".pdf,image/*\""), "{html}");
    assert!(!html.contains("multiple"), "{html}");
    assert!(!html.contains("webkitdirectory"), "{html}");
    assert!(html.contains("action=\"/files/v1/form\""), "{html}");
}

#[test]
fn every_action_on_the_server_does_nothing() {
    Owner::new().with(|| {
        let uploader = use_uploader(UploaderOptions {
            initial: Some(list(vec![unfinished(1, "a"), finished(2, "b")])),
            ..UploaderOptions::default()
        });
        let key = uploader.visible().read_untracked()[0].key;
        uploader.add_files([]);
        uploader.start();
        uploader.pause(key);
        uploader.resume(key);
        uploader.cancel(key);
        uploader.retry(key);
        uploader.delete(key);
        uploader.restore(key);
        uploader.remove(key);
        uploader.resolve(key, None);
        uploader.pause_all();
        uploader.resume_all();
        uploader.cancel_all();
        uploader.retry_all();
        uploader.clear();
        uploader.show_from(9);
        uploader.add_listed(&list(vec![finished(3, "c")]));
        assert_eq!(uploader.count().get_untracked(), 2);
        assert_eq!(uploader.overview().read_untracked().totals.needs_file, 1);
    });
}

/// What only JavaScript may hold must not exist on a server: it would panic when another thread of
/// the runtime drops it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_rendered_at_once_and_dropped_by_other_threads_are_whole() {
    let expected = html(Some(list(vec![
        unfinished(1, "linux.iso"),
        finished(2, "photo.jpg"),
    ])));
    let renders = (0..200).map(|_| {
        tokio::spawn(async {
            let owner = Owner::new();
            let initial = list(vec![unfinished(1, "linux.iso"), finished(2, "photo.jpg")]);
            let view = owner.with(|| view! { <Uploader initial/> });
            tokio::task::yield_now().await;
            let html = owner.with(|| view.to_html());
            let dropped = std::thread::spawn(move || drop(owner));
            dropped
                .join()
                .expect("dropping on another thread does not panic");
            html
        })
    });
    for render in renders.collect::<Vec<_>>() {
        assert_eq!(render.await.expect("rendering does not panic"), expected);
    }
}
