//! A server in memory that keeps the protocol to the letter, without bytes: the checksum of a
//! chunk stands for its content.

use std::collections::BTreeMap;

use hoist_protocol::{
    ByteRange, Checksum, ChecksumRun, ChunkLayout, ChunkResult, ChunkSet, CreateAnswer,
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, DeleteResult, ErrorBody,
    ErrorCode, GoneUpload, Kind, Needed, NewFile, OnConflict, PackManifest, PackResponse, Receipt,
    StatusRequest, StatusResponse, Unfinished, UploadId, UploadStatus, merge_checksums,
};

/// The checksum that chunk `index` of `content` has.
pub(super) fn checksum(content: u64, index: u32) -> Checksum {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&content.to_be_bytes());
    bytes[8..12].copy_from_slice(&index.to_be_bytes());
    Checksum::from_bytes(bytes)
}

pub(super) fn error(code: ErrorCode, retry_after_ms: Option<u64>) -> ErrorBody {
    ErrorBody {
        code,
        message: format!("the server says {code}"),
        retry_after_ms,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) file: NewFile,
    pub(super) layout: ChunkLayout,
    pub(super) chunks: BTreeMap<u32, Checksum>,
    pub(super) receipt: Option<Receipt>,
    pub(super) is_deleted: bool,
}

impl Upload {
    pub(super) fn received(&self) -> Vec<ByteRange> {
        let set: ChunkSet = self.chunks.keys().copied().collect();
        set.byte_ranges(self.layout)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.received().iter().map(|range| range.len()).sum()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) uploads: BTreeMap<UploadId, Upload>,
    pub(super) chunk_size: u64,
    pub(super) now: u64,
    /// Bytes of chunks that came in, again or not.
    pub(super) received_bytes: u64,
    /// How long a deleted file can be had back; 0 for not at all.
    pub(super) grace: u64,
    /// Most checksums of one upload in a status.
    pub(super) page: usize,
    next: u64,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            uploads: BTreeMap::new(),
            chunk_size: 64 << 10,
            now: 0,
            received_bytes: 0,
            grace: 10_000,
            page: usize::MAX,
            next: 0,
        }
    }

    fn find(&self, file: &NewFile) -> Option<(UploadId, &Upload)> {
        self.uploads
            .iter()
            .find(|(_, upload)| {
                !upload.is_deleted
                    && upload.file.name == file.name
                    && upload.file.path == file.path
                    && upload.file.size == file.size
                    && upload.file.last_modified == file.last_modified
            })
            .map(|(&id, upload)| (id, upload))
    }

    fn is_taken(&self, file: &NewFile) -> Option<&Receipt> {
        self.uploads
            .values()
            .filter(|upload| !upload.is_deleted)
            .find(|upload| upload.file.name == file.name && upload.file.path == file.path)?
            .receipt
            .as_ref()
    }

    pub(super) fn create(&mut self, request: &CreateRequest) -> CreateResponse {
        let answers = request
            .files
            .iter()
            .map(|file| self.create_one(file))
            .collect();
        CreateResponse { answers }
    }

    fn create_one(&mut self, file: &NewFile) -> CreateAnswer {
        if let Some((id, upload)) = self.find(file) {
            return match &upload.receipt {
                Some(receipt) => CreateAnswer::Present {
                    receipt: receipt.clone(),
                },
                None => CreateAnswer::Needed(Needed {
                    id,
                    chunk_size: upload.layout.chunk_size(),
                    received: upload.received(),
                    expires: 0,
                }),
            };
        }
        if let Some(existing) = self.is_taken(file)
            && file.on_conflict == OnConflict::Ask
        {
            return CreateAnswer::Conflict {
                existing: existing.clone(),
            };
        }
        self.next += 1;
        let id = UploadId::from_bytes(u128::from(self.next).to_be_bytes());
        let layout = ChunkLayout::new(file.size.unwrap(), self.chunk_size).unwrap();
        self.uploads.insert(
            id,
            Upload {
                file: file.clone(),
                layout,
                chunks: BTreeMap::new(),
                receipt: None,
                is_deleted: false,
            },
        );
        if layout.count() == 0 {
            let receipt = self.publish(id);
            return CreateAnswer::Present { receipt };
        }
        CreateAnswer::Needed(Needed {
            id,
            chunk_size: self.chunk_size,
            received: Vec::new(),
            expires: 0,
        })
    }

    fn publish(&mut self, id: UploadId) -> Receipt {
        let now = self.now;
        let upload = self.uploads.get_mut(&id).unwrap();
        let hash = merge_checksums(upload.layout, upload.chunks.values().copied()).unwrap();
        let receipt = Receipt {
            id,
            name: upload.file.name.clone(),
            path: upload.file.path.clone(),
            kind: upload.file.kind,
            size: upload.layout.file_size(),
            hash: (upload.file.kind == Kind::File).then_some(hash),
            last_modified: upload.file.last_modified,
            media_type: None,
            stored_as: upload.file.name.clone(),
            finished: now,
        };
        upload.receipt = Some(receipt.clone());
        receipt
    }

    pub(super) fn status(&self, request: &StatusRequest) -> StatusResponse {
        let uploads = request
            .ids
            .iter()
            .map(|&id| {
                let Some(upload) = self.uploads.get(&id).filter(|upload| !upload.is_deleted) else {
                    return UploadStatus::Gone(GoneUpload {
                        id,
                        error: error(ErrorCode::NotFound, None),
                    });
                };
                if let Some(receipt) = upload.receipt.clone() {
                    return UploadStatus::Finished { receipt };
                }
                let mut unfinished = Self::unfinished(id, upload);
                if let Some(asked) = request.checksums {
                    unfinished.checksums = upload
                        .chunks
                        .range(asked.from..)
                        .take(self.page.min(asked.count as usize))
                        .map(|(&from, &value)| ChecksumRun {
                            from,
                            values: vec![value],
                        })
                        .collect();
                }
                UploadStatus::Unfinished(unfinished)
            })
            .collect();
        StatusResponse { uploads }
    }

    pub(super) fn unfinished(id: UploadId, upload: &Upload) -> Unfinished {
        Unfinished {
            id,
            name: upload.file.name.clone(),
            path: upload.file.path.clone(),
            size: upload.file.size,
            last_modified: upload.file.last_modified,
            media_type: None,
            chunk_size: upload.layout.chunk_size(),
            received: upload.received(),
            expires: 0,
            checksums: Vec::new(),
        }
    }

    /// Takes the first `whole` chunks of a pack; `arrived` are the checksums of what came.
    pub(super) fn pack(
        &mut self,
        manifest: &PackManifest,
        arrived: &[Checksum],
        whole: usize,
    ) -> PackResponse {
        let mut response = PackResponse::default();
        for (chunk, &arrived) in manifest.chunks.iter().zip(arrived).take(whole) {
            self.received_bytes += chunk.length;
            let result = self.chunk(chunk.upload, chunk.index, chunk.checksum, arrived);
            response.results.push(match result {
                Ok(()) => ChunkResult::Acknowledged,
                Err(code) => ChunkResult::Refused(error(code, Some(100))),
            });
        }
        let mut ids: Vec<UploadId> = manifest.chunks.iter().map(|chunk| chunk.upload).collect();
        ids.dedup();
        for id in ids {
            let Some(upload) = self.uploads.get(&id).filter(|upload| !upload.is_deleted) else {
                continue;
            };
            let is_whole = upload.chunks.len() == upload.layout.count() as usize;
            if upload.receipt.is_none() && is_whole {
                self.publish(id);
            }
            response
                .receipts
                .extend(self.uploads.get(&id).unwrap().receipt.clone());
        }
        response
    }

    fn chunk(
        &mut self,
        id: UploadId,
        index: u32,
        claimed: Option<Checksum>,
        arrived: Checksum,
    ) -> Result<(), ErrorCode> {
        let upload = self
            .uploads
            .get_mut(&id)
            .filter(|upload| !upload.is_deleted)
            .ok_or(ErrorCode::NotFound)?;
        if index >= upload.layout.count() {
            return Err(ErrorCode::InvalidRequest);
        }
        if claimed.is_some_and(|claimed| claimed != arrived) {
            return Err(ErrorCode::ChecksumMismatch);
        }
        match upload.chunks.get(&index) {
            Some(&stored) if stored != arrived => Err(ErrorCode::ChunkConflict),
            Some(_) => Ok(()),
            None => {
                upload.chunks.insert(index, arrived);
                Ok(())
            }
        }
    }

    pub(super) fn delete(&mut self, request: &DeleteRequest) -> DeleteResponse {
        let until = self.now + self.grace;
        let grace = self.grace;
        let results = request
            .ids
            .iter()
            .map(|id| match self.uploads.get_mut(id) {
                Some(upload) if !upload.is_deleted => {
                    upload.is_deleted = true;
                    if upload.receipt.is_some() && grace > 0 {
                        DeleteResult::Deleting { until }
                    } else {
                        self.uploads.remove(id);
                        DeleteResult::Deleted
                    }
                }
                _ => DeleteResult::Deleted,
            })
            .collect();
        DeleteResponse { results }
    }

    pub(super) fn restore(&mut self, request: &DeleteRequest) -> DeleteResponse {
        let results = request
            .ids
            .iter()
            .map(|id| match self.uploads.get_mut(id) {
                Some(Upload {
                    receipt: Some(receipt),
                    is_deleted,
                    ..
                }) => {
                    *is_deleted = false;
                    DeleteResult::Restored {
                        receipt: receipt.clone(),
                    }
                }
                _ => DeleteResult::Deleted,
            })
            .collect();
        DeleteResponse { results }
    }
}
