//! Names that clash, twins, and names that some system cannot hold.

use std::collections::BTreeSet;

use hoist_protocol::{Kind, NewFile, UploadStatus};

use super::{
    conformance,
    support::{Bench, CHUNK, NOW, bytes, file, hash},
};
use crate::ListQuery;

conformance! {
    async fn eight_uploads_of_one_path_become_eight_files(bench: Bench) {
        let mut uploads = Vec::new();
        for n in 0..8 {
            let all = bytes(2 * CHUNK, n);
            let new = NewFile { last_modified: Some(i64::try_from(n).unwrap()), ..file("d/a.bin", 2 * CHUNK) };
            let id = bench.needed(new).await.id;
            bench.send(id, &all, 0).await.unwrap();
            uploads.push((id, all));
        }
        let finishing = uploads.iter().map(|(id, all)| bench.send(*id, all, 1));
        let receipts = futures_util::future::join_all(finishing).await;
        let mut places = BTreeSet::new();
        for (result, (id, all)) in receipts.into_iter().zip(&uploads) {
            let receipt = result.unwrap().receipt.unwrap();
            assert_eq!(receipt.hash.unwrap().to_string(), hash(all));
            assert!(bench.content(*id).await == *all);
            places.insert(receipt.stored_as);
        }
        let expected = (2..=8).map(|n| format!("d/a ({n}).bin")).chain(["d/a.bin".to_owned()]);
        assert_eq!(places, expected.collect());
    }

    async fn the_two_hundredth_file_of_one_name_costs_little_more_than_the_second(bench: Bench) {
        let mut ids = Vec::new();
        for n in 1..=200i64 {
            let new = NewFile { last_modified: Some(n), ..file("d/image.jpg", 1) };
            let before = bench.transactions();
            let receipt = bench.upload(new, &[n as u8]).await;
            let made = bench.transactions() - before;
            // Create, a try of the wanted name, a claim, finished.
            assert!(made <= 5, "{made} transactions for the {n}th");
            let expected = if n == 1 { "d/image.jpg".into() } else { format!("d/image ({n}).jpg") };
            assert_eq!(receipt.stored_as, expected);
            ids.push(receipt.id);
        }
        let other = bench.upload(file("d/other.jpg", 1), b"x").await;
        let before = bench.transactions();
        let renamed = bench.store.rename(NOW, &bench.party, other.id, "image.jpg").await.unwrap();
        assert_eq!(renamed.stored_as, "d/image (201).jpg");
        assert!(bench.transactions() - before <= 3);
        for (id, n) in ids.into_iter().zip(1..) {
            assert_eq!(bench.content(id).await, [n as u8]);
        }
    }

    async fn what_is_published_at_once_is_so_once(bench: Bench) {
        let folder = NewFile { kind: Kind::Directory, last_modified: None, ..file("d", 0) };
        let same = vec![file("empty", 0), folder.clone(), file("empty", 0), folder, file("empty", 0)];
        let calls = (0..4).map(|_| bench.store.create(NOW, &bench.party, &same));
        let mut ids = BTreeSet::new();
        for answers in futures_util::future::join_all(calls).await {
            for answer in answers.unwrap() {
                match answer {
                    hoist_protocol::CreateAnswer::Present { receipt } => ids.insert((receipt.stored_as, receipt.id)),
                    other => panic!("{other:?}"),
                };
            }
        }
        let places: Vec<_> = ids.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["d", "empty"], "one file, one folder");
    }

    async fn twins_that_some_disk_takes_for_one_are_kept_apart(bench: Bench) {
        for (n, (name, place)) in [
            ("é.txt", "é.txt"),
            ("e\u{301}.txt", "e\u{301} (2).txt"),
            ("É.TXT", "É (3).TXT"),
            ("README", "README"),
            ("readme", "readme (2)"),
            ("Straße", "Straße"),
            ("STRASSE", "STRASSE (2)"),
        ].into_iter().enumerate() {
            let content = format!("{n}");
            let receipt = bench.upload(file(name, content.len() as u64), content.as_bytes()).await;
            assert_eq!((receipt.name.as_str(), receipt.stored_as.as_str()), (name, place));
            assert_eq!(bench.content(receipt.id).await, content.as_bytes());
        }
    }

    async fn names_of_every_script_are_kept_and_device_names_are_not(bench: Bench) {
        for (name, place) in [
            ("文件夹/照片 1.jpg", "文件夹/照片 1.jpg"),
            ("صور/صورة.png", "صور/صورة.png"),
            ("😀/👨‍👩‍👧.gif", "😀/👨‍👩‍👧.gif"),
            ("nul", "_nul"),
            ("a:b", "a_b"),
            ("dir./x", "dir_/x"),
        ] {
            let receipt = bench.upload(file(name, 1), b"x").await;
            assert_eq!(receipt.stored_as, place);
            assert_eq!(bench.present(file(name, 1)).await.stored_as, place);
        }
    }

    async fn a_file_and_a_folder_of_one_name_are_both_kept(bench: Bench) {
        let first = bench.upload(file("x", 1), b"1").await;
        let inside = bench.upload(file("x/y/z", 1), b"2").await;
        assert_eq!(inside.stored_as, "x (2)/y/z");
        let third = bench.upload(NewFile { last_modified: Some(7), ..file("x (2)", 1) }, b"3").await;
        assert_ne!(third.stored_as, "x (2)");
        for (id, content) in [(first.id, b"1"), (inside.id, b"2"), (third.id, b"3")] {
            assert_eq!(bench.content(id).await, content);
        }
    }

    async fn a_folder_of_several_files_is_kept_beside_a_file_of_its_name(bench: Bench) {
        let mut kept = Vec::new();
        for (name, place) in [
            ("x", "x"),
            ("x/a", "x (2)/a"),
            ("x/b", "x (2)/b"),
            ("x/deep/c", "x (2)/deep/c"),
            ("f/g", "f/g"),
            ("f/g/h", "f/g (2)/h"),
            ("f/g/i", "f/g (2)/i"),
            ("f/g/i/j", "f/g (2)/i (2)/j"),
        ] {
            let receipt = bench.upload(file(name, name.len() as u64), name.as_bytes()).await;
            assert_eq!(receipt.stored_as, place);
            kept.push((receipt.id, name));
        }
        for (id, name) in kept {
            assert_eq!(bench.content(id).await, name.as_bytes());
        }
    }

    async fn a_name_with_a_very_long_extension_gets_a_number_too(bench: Bench) {
        let name = format!("a.{}", "x".repeat(253));
        let first = bench.upload(file(&name, 1), b"1").await;
        assert_eq!(first.stored_as, name);
        let new = NewFile { last_modified: Some(7), ..file(&name, 1) };
        let second = bench.upload(new, b"2").await;
        assert!(second.stored_as.ends_with(" (2)") && second.stored_as.len() <= 255, "{}", second.stored_as);
        assert_eq!(bench.content(second.id).await, b"2");
    }

    async fn an_empty_folder_elsewhere_is_another_one(bench: Bench) {
        let folder = |name: &str| NewFile { kind: Kind::Directory, last_modified: None, ..file(name, 0) };
        let inside = bench.present(folder("x/empty")).await;
        let root = bench.present(folder("empty")).await;
        assert_ne!(root.id, inside.id);
        assert_eq!((root.stored_as.as_str(), root.path.as_str()), ("empty", ""));
        assert_eq!(bench.present(folder("empty")).await.id, root.id);
    }

    async fn an_empty_folder_is_an_entry_and_is_there_once(bench: Bench) {
        let folder = NewFile { kind: Kind::Directory, last_modified: None, ..file("a/b/empty", 0) };
        let receipt = bench.present(folder.clone()).await;
        assert_eq!((receipt.kind, receipt.stored_as.as_str()), (Kind::Directory, "a/b/empty"));
        assert_eq!(bench.present(folder).await.id, receipt.id);
        bench.upload(file("a/b/empty/now/not", 1), b"x").await;
        let list = bench.store.list(NOW, &bench.party, &ListQuery::default()).await.unwrap();
        assert_eq!(list.counts.finished, 2);
        assert!(list.uploads.iter().all(|upload| matches!(upload, UploadStatus::Finished { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_lie_under_their_own_names_with_their_own_time() {
    let bench = Bench::disk().await;
    let folder = bench.folder.clone().unwrap();
    let new = NewFile {
        last_modified: Some(1_234_567_890_123),
        ..file("e\u{301}té/文.txt", 5)
    };
    bench.upload(new, b"hello").await;
    let path = folder.path().join("files/e\u{301}té/文.txt");
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(
        modified
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
        1_234_567_890_123
    );
    bench.other("v1").upload(file("a", 1), b"x").await;
    assert_eq!(
        std::fs::read(folder.path().join("visitors/v1/a")).unwrap(),
        b"x"
    );
    let incoming = walk(&folder.path().join("incoming"));
    assert_eq!(incoming, Vec::<String>::new(), "nothing stays behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_put_there_by_hand_is_not_replaced_and_planted_links_lead_nowhere() {
    let bench = Bench::disk().await;
    let root = bench.folder.clone().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("files")).unwrap();
    std::fs::write(root.path().join("files/a.txt"), "by hand").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("files/link")).unwrap();
    std::os::unix::fs::symlink(
        outside.path().join("target"),
        root.path().join("files/b.txt"),
    )
    .unwrap();
    assert_eq!(
        bench.upload(file("a.txt", 3), b"abc").await.stored_as,
        "a (2).txt"
    );
    assert_eq!(
        bench.upload(file("b.txt", 3), b"abc").await.stored_as,
        "b (2).txt"
    );
    // A folder that leads elsewhere is none.
    assert_eq!(
        bench.upload(file("link/c.txt", 3), b"abc").await.stored_as,
        "link (2)/c.txt"
    );
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(
        std::fs::read_to_string(root.path().join("files/a.txt")).unwrap(),
        "by hand"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_removed_or_changed_by_hand_is_not_present() {
    let bench = Bench::disk().await;
    let root = bench.folder.clone().unwrap();
    for (name, change) in [("gone", None), ("longer", Some("abcd"))] {
        let first = bench.upload(file(name, 3), b"abc").await;
        let path = root.path().join("files").join(name);
        match change {
            None => std::fs::remove_file(path).unwrap(),
            Some(content) => std::fs::write(path, content).unwrap(),
        }
        assert_ne!(bench.needed(file(name, 3)).await.id, first.id);
    }
}

/// Regular files below a folder.
pub(super) fn walk(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path.display().to_string()]
            }
        })
        .collect()
}
