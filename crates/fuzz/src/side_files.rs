//! What lies beside the bytes of an upload after a crash: checksums and ranges, of any content.

use hoist_protocol::{CreateAnswer, MIN_CHUNK_SIZE, Millis, NewFile, UploadStatus};
use hoist_store::{Store, StoreConfig};

use crate::server::{block_on, party};

/// A length of the bytes, what to put into the checksums and what into the ranges.
pub(crate) fn side_files(data: &[u8]) {
    let Some((&[kind, size, cut], rest)) = data.split_first_chunk::<3>() else {
        return;
    };
    let (sums, ranges) = rest.split_at(usize::from(cut).min(rest.len()));
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut config = StoreConfig {
            keep_free: 0,
            ..StoreConfig::default()
        };
        config.limits.chunk_size = MIN_CHUNK_SIZE;
        let now = Millis(1_700_000_000_000);
        let open = || Store::open(folder.path(), config.clone(), now);
        let store = open().await.unwrap();
        let whole = u64::from(size) * 1000;
        let file = NewFile {
            name: "a".into(),
            size: (kind & 1 == 0).then_some(whole),
            last_modified: Some(1),
            ..NewFile::default()
        };
        let created = store
            .create(now, &party(), std::slice::from_ref(&file))
            .await
            .unwrap();
        let CreateAnswer::Needed(needed) = &created[0] else {
            return;
        };
        // A byte of it, so that there are files to spoil.
        let mut range = store
            .write_range(now, &party(), needed.id, 0)
            .await
            .unwrap();
        range.write(now, vec![1].into()).await.unwrap();
        range.finish(now).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        let mut spoilt = 0;
        let mut folders = vec![folder.path().join("incoming")];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if name.ends_with("ranges") {
                    std::fs::write(&path, ranges).unwrap();
                    std::fs::write(path.with_file_name(name.replace("ranges", "sums")), sums)
                        .unwrap();
                    spoilt += 1;
                }
            }
        }
        assert_eq!(spoilt, 1);
        let store = open().await.unwrap();
        // It is told in bounds, or it is asked for again; nothing that is not there is published.
        let status = store
            .status(now, &party(), &[needed.id], None)
            .await
            .unwrap();
        match &status[0] {
            UploadStatus::Unfinished(upload) => {
                let end = upload.size.unwrap_or(u64::MAX);
                assert!(
                    upload
                        .received
                        .is_sorted_by(|one, next| one.end < next.start)
                );
                assert!(
                    upload
                        .received
                        .iter()
                        .all(|range| range.start < range.end && range.end <= end),
                    "{upload:?}"
                );
            }
            UploadStatus::Finished { receipt } => {
                let reader = store.read(now, &party(), receipt.id).await.unwrap();
                let all = reader.read(0, usize::MAX >> 1).await.unwrap();
                assert_eq!(all.len() as u64, receipt.size);
            }
            UploadStatus::Gone(_) => {}
        }
        store.create(now, &party(), &[file]).await.unwrap();
        store.close().await.unwrap();
    });
}
