//! `?action=upload`: one part of a file, as long as the client likes.

use std::time::Duration;

use hoist_protocol::{ByteRange, CreateAnswer, ErrorCode, NewFile, UploadId};
use hoist_store::{PartWriter, Party, StoreError};
use tokio::time::sleep;

use super::{file::Part, scope::Scope};
use crate::{
    ApiError,
    body::{BodyReader, too_short},
    form::Pending,
    router::Core,
    shares::Who,
};

/// How often a part waits for another one of its file …
const WAITS: u32 = 60;
/// … and how long each time. All of it is longer than a connection may stand still that is in its way.
const WAIT: Duration = Duration::from_millis(200);

pub(super) async fn upload(
    core: &Core,
    scope: &Scope,
    part: Part,
    mut reader: BodyReader,
    who: Who,
) -> Result<(), ApiError> {
    let length = part.range.len();
    if let Some(announced) = reader.announced()
        && announced != length
    {
        return Err(ApiError::new(
            ErrorCode::InvalidRequest,
            format!("The body has {announced} bytes, and `length` is {length}"),
        ));
    }
    let transfer = core.transfer(who)?;
    reader.keep_up(&transfer);
    match scope {
        Scope::Own(party) => {
            let Some(id) = find_or_create(core, party, part.file).await? else {
                return Ok(()); // a file of 0 bytes
            };
            receive(core, party, id, part.range, reader).await
        }
        Scope::Nobody(party) if part.file.size == Some(length) => {
            let Some(id) = create(core, party, part.file).await? else {
                return Ok(());
            };
            // Nobody can name it again, so nobody could ever finish it.
            let pending = Pending::new(core, party, id);
            receive(core, party, id, part.range, reader).await?;
            pending.settle();
            Ok(())
        }
        Scope::Nobody(_) => scope.party().map(|_| ()),
    }
}

async fn find_or_create(
    core: &Core,
    party: &Party,
    file: NewFile,
) -> Result<Option<UploadId>, ApiError> {
    let files = [file];
    let found = core.store.find(core.now(), party, &files).await?.pop();
    match found.flatten() {
        Some(CreateAnswer::Needed(needed)) => Ok(Some(needed.id)),
        Some(CreateAnswer::Present { receipt }) => Ok(Some(receipt.id)),
        // Two first parts at once create one upload: the store sees to that.
        _ => {
            let [file] = files;
            create(core, party, file).await
        }
    }
}

/// `None` for a file of 0 bytes, which is there now.
async fn create(core: &Core, party: &Party, file: NewFile) -> Result<Option<UploadId>, ApiError> {
    match core.store.create(core.now(), party, &[file]).await?.pop() {
        Some(CreateAnswer::Needed(needed)) => Ok(Some(needed.id)),
        Some(CreateAnswer::Present { receipt }) if receipt.size == 0 => Ok(None),
        Some(CreateAnswer::Present { receipt }) => Ok(Some(receipt.id)),
        Some(CreateAnswer::Refused(body)) => Err(body.into()),
        Some(CreateAnswer::Conflict { .. }) | None => {
            Err(ApiError::internal("create gave no answer to a file"))
        }
    }
}

async fn receive(
    core: &Core,
    party: &Party,
    id: UploadId,
    range: ByteRange,
    mut reader: BodyReader,
) -> Result<(), ApiError> {
    let mut writer = begin(core, party, id, range).await?;
    let mut left = range.len();
    while let Some(bytes) = reader.next(left.max(1)).await? {
        left = left.saturating_sub(bytes.len() as u64);
        writer.write(core.now(), bytes).await?;
    }
    if left > 0 {
        return Err(too_short());
    }
    writer.finish(core.now()).await?;
    Ok(())
}

/// Waits for its turn: a client of this dialect may send parts of one file at the same time.
async fn begin(
    core: &Core,
    party: &Party,
    id: UploadId,
    range: ByteRange,
) -> Result<PartWriter, ApiError> {
    for _ in 0..WAITS {
        match core.store.write_part(core.now(), party, id, range).await {
            Err(StoreError::InFlight { .. }) => sleep(WAIT).await,
            begun => return Ok(begun?),
        }
    }
    Ok(core.store.write_part(core.now(), party, id, range).await?)
}
