//! `POST /form`: upload from a page without JavaScript.
//!
//! Each part that is a file is streamed into an upload of unknown size; its end tells the size. The
//! answer takes the person back to the page they came from.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hoist_protocol::{CreateAnswer, ErrorCode, FormResponse, NewFile, Receipt, UploadId};
use hoist_store::Party;
use http::{HeaderMap, HeaderValue, Uri, header};
use multer::{Field, Multipart};

use crate::{
    Access, ApiError,
    answer::{self, see_other},
    body::BodyReader,
    form_file::file_name,
    form_words::FIELD,
    router::Core,
    shares::Who,
};

/// Most bytes between two parts' contents: a boundary, headers, and what was read ahead with them.
const HEAD_SIZE: u64 = 1 << 20;

pub(crate) async fn form(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    // The size of each file is limited, the sum of them is not.
    let mut reader = BodyReader::new(&core, &parts, body, u64::MAX);
    if wants_html(&parts.headers) {
        reader.drains_all();
    }
    access.require(|rights| rights.send)?;
    let transfer = core.transfer(Who::new(&parts, &access.party))?;
    reader.keep_up(&transfer);
    let page = page(&parts.headers, &core.config.form_return);
    match receive(&core, &access.party, &parts.headers, reader).await {
        Ok(receipts) if wants_json(&parts.headers) => Ok(answer::ok(&FormResponse { receipts })),
        Ok(_) => Ok(see_other(&page)),
        Err(error) if wants_html(&parts.headers) => Ok(failed(&page, error)),
        Err(error) => Ok(error.into_response()),
    }
}

/// Back to the page, which says why: [`crate::form_problem`].
pub(crate) fn failed(page: &str, error: ApiError) -> Response {
    let separator = if page.contains('?') { '&' } else { '?' };
    let code = error.into_body().code;
    see_other(&format!("{page}{separator}{FIELD}={code}"))
}

async fn receive(
    core: &Core,
    party: &Party,
    headers: &HeaderMap,
    reader: BodyReader,
) -> Result<Vec<Receipt>, ApiError> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .ok()
        .filter(|boundary| (1..=70).contains(&boundary.len()))
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                "A form is sent as multipart/form-data with a boundary of 1 to 70 characters",
            )
        })?;
    let limits = core.store.limits(core.now(), party).await?;
    let budget = Arc::new(AtomicU64::new(HEAD_SIZE));
    let mut multipart = Multipart::new(Paced::new(frames(reader), Arc::clone(&budget)), boundary);
    let mut files = 0;
    let mut receipts = Vec::new();
    loop {
        budget.store(HEAD_SIZE, Ordering::Relaxed);
        let Some(mut field) = multipart.next_field().await.map_err(malformed)? else {
            if files == 0 && !wants_html(headers) {
                return Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "No part of this form has a file name, so there is no file in it; curl's way is -F file=@NAME",
                ));
            }
            return Ok(receipts);
        };
        let Some(name) = file_name(field.headers())? else {
            // A text field: none of ours.
            while field.chunk().await.map_err(malformed)?.is_some() {}
            continue;
        };
        files += 1;
        if files > limits.batch {
            return Err(ApiError::new(
                ErrorCode::TooMany,
                format!("One form may carry at most {} files", limits.batch),
            ));
        }
        budget.store(u64::MAX, Ordering::Relaxed);
        receipts.extend(receive_file(core, party, &name, field).await?);
    }
}

/// Streams one part into an upload of its own.
async fn receive_file(
    core: &Core,
    party: &Party,
    file_name: &str,
    mut field: Field<'_>,
) -> Result<Option<Receipt>, ApiError> {
    // multer gives a part without content as one empty piece.
    let first = field.chunk().await.map_err(malformed)?;
    let first = first.filter(|bytes| !bytes.is_empty());
    if file_name.is_empty() && first.is_none() {
        return Ok(None); // a field that the person left untouched
    }
    // Browsers that send a folder put the path of each file into its name.
    let (path, name) = file_name.rsplit_once('/').unwrap_or(("", file_name));
    let new = NewFile {
        name: name.to_owned(),
        path: path.to_owned(),
        size: first.is_none().then_some(0),
        media_type: field.content_type().map(ToString::to_string),
        ..NewFile::default()
    };
    let answer = core.store.create(core.now(), party, &[new]).await?.pop();
    let id = match answer {
        Some(CreateAnswer::Needed(needed)) => needed.id,
        Some(CreateAnswer::Refused(body)) => return Err(body.into()),
        // Nothing to send: a file of 0 bytes is published by create.
        Some(CreateAnswer::Present { receipt }) => return Ok(Some(receipt)),
        Some(CreateAnswer::Conflict { .. }) | None => {
            return Err(ApiError::internal("create gave no answer that is one"));
        }
    };
    let pending = Pending::new(core, party, id);
    let result = write_file(core, party, id, first, &mut field).await;
    pending.settle();
    if result.is_err() {
        // What a form has lost it cannot continue: nobody would ever finish this upload.
        core.store.delete(core.now(), party, &[id]).await?;
    }
    result.map(Some)
}

async fn write_file(
    core: &Core,
    party: &Party,
    id: UploadId,
    first: Option<Bytes>,
    field: &mut Field<'_>,
) -> Result<Receipt, ApiError> {
    let mut writer = core.store.write_range(core.now(), party, id, 0).await?;
    let mut size = 0;
    let mut next = first;
    while let Some(bytes) = next {
        size += bytes.len() as u64;
        writer.write(core.now(), bytes).await?;
        next = field.chunk().await.map_err(malformed)?;
    }
    writer.finish(core.now()).await?;
    let answer = core.store.set_size(core.now(), party, id, size).await?;
    answer
        .receipt
        .ok_or_else(|| ApiError::internal("a whole file was not published"))
}

/// Takes an upload back if its request is dropped in the middle.
pub(crate) struct Pending {
    store: hoist_store::Store,
    clock: crate::Clock,
    party: Party,
    id: UploadId,
    is_settled: bool,
}

impl Pending {
    pub(crate) fn new(core: &Core, party: &Party, id: UploadId) -> Self {
        Self {
            store: core.store.clone(),
            clock: core.config.clock.clone(),
            party: party.clone(),
            id,
            is_settled: false,
        }
    }

    /// Whatever becomes of the upload now, it is not taken back.
    pub(crate) fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.is_settled {
            return;
        }
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let (party, id) = (self.party.clone(), self.id);
        runtime.spawn(async move {
            if let Err(error) = store.delete(clock.now(), &party, &[id]).await {
                tracing::warn!(upload = %id, cause = %error, "a cut form's upload stays until it expires");
            }
        });
    }
}

type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>> + Send>>;

fn frames(reader: BodyReader) -> Frames {
    Box::pin(stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next(u64::MAX).await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// One frame at a time, and not more than a budget.
///
/// multer 3.1 takes from its stream until it has to wait, and keeps all of it in memory; and it
/// looks for the end of a part's headers as long as bytes come. So after each frame this one waits
/// once, and it fails when the budget for headers is used up.
struct Paced {
    frames: Frames,
    budget: Arc<AtomicU64>,
    has_given: bool,
}

impl Paced {
    fn new(frames: Frames, budget: Arc<AtomicU64>) -> Self {
        Self {
            frames,
            budget,
            has_given: false,
        }
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let poll = self.frames.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &poll {
            self.has_given = true;
            let left = self.budget.load(Ordering::Relaxed);
            let Some(left) = left.checked_sub(bytes.len() as u64) else {
                return Poll::Ready(Some(Err(ApiError::new(
                    ErrorCode::TooLarge,
                    "A part of the form has headers without end",
                ))));
            };
            self.budget.store(left, Ordering::Relaxed);
        }
        poll
    }
}

/// What multer says; our own errors come out of it as they went in.
fn malformed(error: multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(source) = error {
        return match source.downcast::<ApiError>() {
            Ok(ours) => *ours,
            Err(source) => ApiError::internal(source),
        };
    }
    ApiError::new(ErrorCode::InvalidRequest, "The form is malformed").with_source(error)
}

/// Whether a person waits for the answer, and not a program.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    accepts(headers, "text/html")
}

/// Whether a program waits for the receipts.
fn wants_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json") && !wants_html(headers)
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(media_type))
}

/// The page the form stands on: path and query of the referrer if it is ours, never another host.
pub(crate) fn page(headers: &HeaderMap, otherwise: &str) -> String {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let ours = || {
        let referrer: Uri = text(header::REFERER)?.parse().ok()?;
        let is_ours = referrer
            .authority()?
            .as_str()
            .eq_ignore_ascii_case(text(header::HOST)?);
        let page = referrer.path_and_query()?.as_str();
        // `http://host?a` has a query and no path, `//evil.example` would be another host, and browsers take a
        // backslash for a slash.
        (is_ours && page.starts_with('/') && !page.starts_with("//") && !page.starts_with("/\\"))
            .then(|| without_error(page))
    };
    ours().unwrap_or_else(|| otherwise.to_owned())
}

/// The page without the error of the form before.
fn without_error(page: &str) -> String {
    let Some((path, query)) = page.split_once('?') else {
        return page.to_owned();
    };
    let kept: Vec<_> = query
        .split('&')
        .filter(|pair| pair.split('=').next() != Some(FIELD))
        .collect();
    if kept.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", kept.join("&"))
}
