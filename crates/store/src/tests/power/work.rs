//! The work during which the machine dies: what is sent, what was promised of it, and whether it is there.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, UploadId, UploadStatus};

use super::sim::SimDisk;
use crate::{
    Owner, Party, Store, StoreConfig, StoreError,
    catalog::Catalog,
    tests::{
        dying::DyingCatalog,
        support::{Bench, CHUNK, NOW, bytes, chunk, file, hash, sender},
    },
};

/// Bytes of one part of a file that is not sent in chunks.
pub(super) const PART: u64 = 2000;

/// One file of the work: how it is sent, and its bytes.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) sent: Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Chunks,
    Ranges,
    /// In one group with others.
    Together,
}

/// What the server has promised of one file before it died.
#[derive(Default)]
pub(super) struct Promised {
    pub(super) id: Option<UploadId>,
    pub(super) ranges: Vec<ByteRange>,
    pub(super) is_finished: bool,
    pub(super) is_deleted: bool,
    pub(super) renamed: Option<&'static str>,
}

pub(super) fn sources() -> Vec<Source> {
    let source = |name, size, sent| Source {
        name,
        bytes: bytes(size, size),
        sent,
    };
    vec![
        source("film/a.bin", 2 * CHUNK + 100, Sent::Chunks),
        source("b.txt", 900, Sent::Chunks),
        source("film/c.txt", 5, Sent::Chunks),
        source("empty", 0, Sent::Chunks),
        source("form.bin", 2 * PART + 700, Sent::Ranges),
        source("old.txt", 1200, Sent::Chunks),
        source("gone.txt", 1300, Sent::Together),
        source("film/small", 1400, Sent::Together),
        source("photos/d.jpg", 30, Sent::Together),
    ]
}

/// One start of the server on a disk and a catalog.
pub(super) async fn start(
    disk: &SimDisk,
    catalog: &Arc<dyn Catalog>,
    config: &StoreConfig,
    boot: &str,
) -> Result<Bench, StoreError> {
    let catalog = DyingCatalog(Arc::clone(catalog), Arc::new(disk.clone()));
    let (disk, config) = (Arc::new(disk.clone()), config.clone());
    let store = Store::open_on(Box::new(catalog), disk, None, config, boot.into(), NOW).await?;
    Ok(Bench {
        store,
        party: Party::known(Owner::shared()),
        folder: None,
    })
}

/// Sends what is missing of one file; what is acknowledged is noted as promised at once.
pub(super) async fn send(
    bench: &Bench,
    source: &Source,
    promised: &mut Promised,
) -> Result<(), StoreError> {
    let new = file(source.name, source.bytes.len() as u64);
    let answer = bench.store.create(NOW, &bench.party, &[new]).await?.pop();
    let needed = match answer {
        Some(CreateAnswer::Present { receipt }) => {
            promised.id = Some(receipt.id);
            promised.is_finished = true;
            return Ok(());
        }
        Some(CreateAnswer::Needed(needed)) => needed,
        _ => return Err(StoreError::Unavailable),
    };
    promised.id = Some(needed.id);
    let all = &source.bytes;
    let has = |start: u64| {
        needed
            .received
            .iter()
            .any(|r| (r.start..r.end).contains(&start))
    };
    if source.sent == Sent::Ranges {
        for start in (0..all.len() as u64)
            .step_by(PART as usize)
            .filter(|start| !has(*start))
        {
            let part = ByteRange::new(start, (start + PART).min(all.len() as u64));
            let mut writer = bench
                .store
                .write_part(NOW, &bench.party, needed.id, part)
                .await?;
            let piece = &all[part.start as usize..part.end as usize];
            writer.write(NOW, Bytes::copy_from_slice(piece)).await?;
            let answer = writer.finish(NOW).await?;
            promised.is_finished |= answer.receipt.is_some();
            promised.ranges.push(part);
        }
        return Ok(());
    }
    let count = (all.len() as u64).div_ceil(needed.chunk_size) as u32;
    let missing = (0..count).filter(|index| !has(u64::from(*index) * CHUNK));
    let sent = join_all(
        missing.map(|index| async move { (index, bench.send(needed.id, all, index).await) }),
    );
    let mut failed = None;
    for (index, sent) in sent.await {
        match sent {
            Ok(answer) => {
                let start = u64::from(index) * CHUNK;
                let end = (start + CHUNK).min(all.len() as u64);
                promised.ranges.push(ByteRange::new(start, end));
                promised.is_finished |= answer.receipt.is_some();
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Sends small files in one group; all of them fail if one does.
pub(super) async fn send_together(
    bench: &Bench,
    sources: Vec<(&Source, &mut Promised)>,
) -> Result<(), StoreError> {
    let news: Vec<_> = sources
        .iter()
        .map(|(source, _)| file(source.name, source.bytes.len() as u64))
        .collect();
    let answers = bench.store.create(NOW, &bench.party, &news).await?;
    let (mut chunks, mut of) = (Vec::new(), Vec::new());
    for (answer, (source, promised)) in answers.into_iter().zip(sources) {
        let needed = match answer {
            CreateAnswer::Needed(needed) => needed,
            CreateAnswer::Present { receipt } => {
                promised.id = Some(receipt.id);
                promised.is_finished = true;
                continue;
            }
            _ => return Err(StoreError::Unavailable),
        };
        promised.id = Some(needed.id);
        let (chunk, bytes) = chunk(needed.id, &source.bytes, 0);
        chunks.push((chunk, Bytes::copy_from_slice(bytes)));
        of.push(promised);
    }
    let (store, party, page) = (&bench.store, &bench.party, sender("page"));
    let sent = store.write_small(NOW, party, &page, 0, chunks);
    let mut failed = None;
    for (sent, promised) in sent.await.into_iter().zip(of) {
        match sent {
            Ok(answer) => promised.is_finished |= answer.receipt.is_some(),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// All the work, until it is done or something fails; whether it is done.
pub(super) async fn work(bench: &Bench, sources: &[Source], promised: &mut [Promised]) -> bool {
    let all = sources.iter().zip(&mut *promised);
    let all = all.filter(|(_, promised)| !promised.is_deleted && promised.renamed.is_none());
    let (together, each): (Vec<_>, Vec<_>) = all.partition(|(one, _)| one.sent == Sent::Together);
    let each = each
        .into_iter()
        .map(|(source, promised)| send(bench, source, promised));
    let (together, each) = tokio::join!(send_together(bench, together), join_all(each));
    if together.is_err() || each.iter().any(Result::is_err) {
        return false;
    }
    let (store, party) = (&bench.store, &bench.party);
    for (source, promised) in sources.iter().zip(promised) {
        let Some(id) = promised.id else { return false };
        match source.name {
            "old.txt" if promised.renamed.is_none() => {
                // From here on it may have either name.
                promised.renamed = Some("new.txt");
                let _ = store.rename(NOW, party, id, "new.txt").await;
            }
            "gone.txt" if !promised.is_deleted => {
                let deleted = store.delete(NOW, party, &[id]).await;
                promised.is_deleted |= deleted
                    .is_ok_and(|results| matches!(results[..], [DeleteResult::Deleting { .. }]));
            }
            _ => {}
        }
    }
    store.sweep(NOW.plus(60_000)).await.is_ok()
}

/// Whether everything that was promised is there; what is not, in words.
pub(super) async fn look(
    bench: &Bench,
    source: &Source,
    promised: &Promised,
) -> Result<(), String> {
    let Some(id) = promised.id else { return Ok(()) };
    let name = source.name;
    let statuses = bench.store.status(NOW, &bench.party, &[id], None).await;
    match statuses.map_err(|error| error.to_string())?.pop() {
        Some(UploadStatus::Finished { receipt }) => {
            if promised.is_deleted {
                return Err(format!("{name} was deleted and is there"));
            }
            let reader = bench.store.read(NOW, &bench.party, id).await;
            let reader = reader.map_err(|error| format!("{name}: {error}"))?;
            let content = reader.read(0, source.bytes.len() + 1).await;
            let content = content.map_err(|error| format!("{name}: {error}"))?;
            let proved = receipt.hash.map(|hash| hash.to_string());
            if content != source.bytes || proved != Some(hash(&source.bytes)) {
                return Err(format!("{name} is finished and has other bytes"));
            }
        }
        Some(UploadStatus::Unfinished(unfinished)) if !promised.is_finished => {
            let has = |part: &&ByteRange| {
                let covers = |r: &ByteRange| r.start <= part.start && part.end <= r.end;
                !unfinished.received.iter().any(covers)
            };
            if let Some(lost) = promised.ranges.iter().find(has) {
                return Err(format!("{name}: {lost:?} was acknowledged and is lost"));
            }
        }
        Some(UploadStatus::Gone(_)) if promised.is_deleted || source.name == "gone.txt" => {}
        other => return Err(format!("{name}: promised, and now {other:?}")),
    }
    Ok(())
}
