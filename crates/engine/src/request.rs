//! Requests that have no answer yet.

use hoist_protocol::{Millis, UploadId};

use crate::{FileKey, RequestId, pack::Pack, sorted::Sorted};

#[derive(Debug)]
pub(crate) enum Request {
    Create(Vec<FileKey>),
    Status {
        files: Vec<(FileKey, UploadId)>,
        /// Whether checksums were asked for.
        checksums: bool,
    },
    Pack(Box<Pack>),
    Delete(Vec<(FileKey, UploadId)>),
    Restore(Vec<(FileKey, UploadId)>),
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) sent_at: Millis,
    /// When it is given up.
    pub(crate) expires_at: Millis,
    pub(crate) request: Request,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    running: Sorted<RequestId, Running>,
    next: u64,
    packs: u32,
    creates: u32,
}

impl Requests {
    pub(crate) fn start(&mut self, now: Millis, expires_at: Millis, request: Request) -> RequestId {
        let id = self.peek();
        self.next = self.next.saturating_add(1);
        match &request {
            Request::Pack(_) => self.packs = self.packs.saturating_add(1),
            Request::Create(_) => self.creates = self.creates.saturating_add(1),
            Request::Status { .. } | Request::Delete(_) | Request::Restore(_) => {}
        }
        self.running.insert(
            id,
            Running {
                sent_at: now,
                expires_at,
                request,
            },
        );
        id
    }

    /// The id of the next request.
    pub(crate) const fn peek(&self) -> RequestId {
        RequestId(self.next)
    }

    /// Ends a request if it is of the wanted sort; an answer to anything else is ignored.
    pub(crate) fn end(
        &mut self,
        id: RequestId,
        is_wanted: fn(&Request) -> bool,
    ) -> Option<Running> {
        if !is_wanted(&self.running.get(id)?.request) {
            return None;
        }
        let running = self.running.remove(id)?;
        match running.request {
            Request::Pack(_) => self.packs = self.packs.saturating_sub(1),
            Request::Create(_) => self.creates = self.creates.saturating_sub(1),
            Request::Status { .. } | Request::Delete(_) | Request::Restore(_) => {}
        }
        Some(running)
    }

    pub(crate) fn pack_mut(&mut self, id: RequestId) -> Option<(&mut Pack, &mut Millis)> {
        let running = self.running.get_mut(id)?;
        match &mut running.request {
            Request::Pack(pack) => Some((pack, &mut running.expires_at)),
            _ => None,
        }
    }

    /// Packs under way.
    pub(crate) fn all_packs(&self) -> impl Iterator<Item = (RequestId, &Pack)> {
        self.running
            .iter()
            .filter_map(|(id, running)| match &running.request {
                Request::Pack(pack) => Some((id, pack.as_ref())),
                _ => None,
            })
    }

    /// What the server was told to delete and has not answered.
    pub(crate) fn deleting(&self) -> impl Iterator<Item = UploadId> + '_ {
        self.running.iter().flat_map(|(_, running)| {
            let files: &[_] = match &running.request {
                Request::Delete(files) => files,
                _ => &[],
            };
            files.iter().map(|&(_, id)| id)
        })
    }

    pub(crate) const fn packs(&self) -> u32 {
        self.packs
    }

    pub(crate) const fn creates(&self) -> u32 {
        self.creates
    }

    /// Small calls under way.
    pub(crate) fn controls(&self) -> usize {
        let packs = usize::try_from(self.packs).unwrap_or(usize::MAX);
        self.running.len().saturating_sub(packs)
    }

    /// When the first of them is given up.
    pub(crate) fn first_expiry(&self) -> Option<Millis> {
        self.running
            .iter()
            .map(|(_, running)| running.expires_at)
            .min()
    }

    /// One that is to be given up now.
    pub(crate) fn expired(&self, now: Millis) -> Option<RequestId> {
        self.running
            .iter()
            .find(|(_, running)| running.expires_at <= now)
            .map(|(id, _)| id)
    }
}
