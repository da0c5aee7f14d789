//! What each action of the engine means in a browser.

use std::rc::{Rc, Weak};

use hoist_engine::{Action, Event, Failure, FileKey, Notice, RequestId};
use hoist_protocol::{ByteRange, DeleteRequest, FileState, Limits, PackManifest, route};
use js_sys::{Array, Uint8Array};
use leptos::prelude::{Callable, Callback, Set};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Driver;
use crate::{
    browser, hash,
    options::FileError,
    transport::{self, Answer, Call, Payload, deletes},
};

/// Most files of a form: the heads of as many parts are well within what a server takes around a pack.
const FORM_FILES: u32 = 256;

impl Driver {
    pub(super) fn perform(&self, action: Action) {
        match action {
            Action::Create { request, body } => {
                self.call_json(request, route::UPLOADS, &body, |request, result| {
                    Event::Created { request, result }
                });
            }
            Action::Status { request, body } => {
                self.call_json(request, route::STATUS, &body, |request, result| {
                    Event::Status { request, result }
                });
            }
            Action::Delete { request, body } => {
                self.call_json(request, route::DELETE, &body, |request, result| {
                    Event::Deleted { request, result }
                });
            }
            Action::Restore { request, body } => {
                self.call_json(request, route::RESTORE, &body, |request, result| {
                    Event::Deleted { request, result }
                });
            }
            Action::SendPack {
                request,
                manifest,
                parts,
            } => self.send_pack(request, &manifest, &parts),
            Action::Abort { request } => {
                let call = self.calls.borrow_mut().remove(&request);
                self.gathering.borrow_mut().remove(&request);
                drop(call);
            }
            Action::Hash {
                key,
                index,
                layout,
                keep,
            } => self.reader.push(key, index, layout, keep),
            Action::Probe { key } => self.probe(key),
            Action::Forget { key, index } => {
                self.reader.forget(key, index);
                if index.is_none()
                    && let Some(file) = self.file(key)
                {
                    let blob: &gloo_file::Blob = &file;
                    hash::release(blob.as_ref());
                }
            }
            Action::Notify(notice) => self.notify(notice),
        }
    }

    /// Deletes that nobody has confirmed or refused are kept where they outlive the page.
    pub(super) fn keep_deletes(&self) {
        let ids = self.engine.borrow().doomed();
        if ids.is_empty() && self.deletes.borrow().is_empty() {
            return;
        }
        let now = if ids.is_empty() {
            String::new()
        } else {
            serde_json::to_string(&DeleteRequest { ids }).unwrap_or_default()
        };
        if *self.deletes.borrow() != now {
            let before = self.deletes.replace(now.clone());
            deletes::keep(&self.url(route::DELETE), &before, &now);
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.options.endpoint)
    }

    fn call_json<B: Serialize, T: DeserializeOwned + 'static>(
        &self,
        request: RequestId,
        path: &str,
        body: &B,
        event: fn(RequestId, Result<T, Failure>) -> Event,
    ) {
        let payload = serde_json::to_string(body).map_or(Payload::None, Payload::Json);
        self.call(request, path, payload, event, false);
    }

    fn call<T: DeserializeOwned + 'static>(
        &self,
        request: RequestId,
        path: &str,
        payload: Payload,
        event: fn(RequestId, Result<T, Failure>) -> Event,
        is_pack: bool,
    ) {
        let event = move |answer: Option<Answer>| {
            let result = answer.map_or(Err(Failure::NoAnswer), |answer| answer.decode());
            event(request, result)
        };
        self.call_untyped(request, path, payload, Box::new(event), is_pack);
    }

    /// In the wasm once, and not for each kind of answer.
    fn call_untyped(
        &self,
        request: RequestId,
        path: &str,
        payload: Payload,
        event: Box<dyn Fn(Option<Answer>) -> Event>,
        is_pack: bool,
    ) {
        let me = Weak::clone(&self.me);
        let event = Rc::new(event);
        let read = Rc::clone(&event);
        let ended = Box::new(move |answer: Answer| {
            let Some(driver) = me.upgrade() else { return };
            let call = driver.calls.borrow_mut().remove(&request);
            driver.feed(read(Some(answer)));
            drop(call);
        });
        let progress = is_pack.then(|| {
            let me = Weak::clone(&self.me);
            Box::new(move |sent| {
                if let Some(driver) = me.upgrade() {
                    driver.feed(Event::PackProgress { request, sent });
                }
            }) as Box<dyn Fn(u64)>
        });
        let call = Call::send(&self.options, &self.url(path), payload, ended, progress);
        match call {
            Some(call) => {
                self.calls.borrow_mut().insert(request, call);
            }
            None => self.feed(event(None)),
        }
    }

    /// Asks once what the server allows; without an answer the usual limits hold.
    pub(super) fn ask_limits(&self) {
        let me = Weak::clone(&self.me);
        let ended = Box::new(move |answer: Answer| {
            let Some(driver) = me.upgrade() else { return };
            if let Ok(limits) = answer.decode::<Limits>() {
                driver.feed(Event::Limits(limits));
            }
            let call = driver.limits_call.borrow_mut().take();
            drop(call);
        });
        let call = Call::send(
            &self.options,
            &self.url(route::LIMITS),
            Payload::None,
            ended,
            None,
        );
        *self.limits_call.borrow_mut() = call;
    }

    fn send_pack(
        &self,
        request: RequestId,
        manifest: &PackManifest,
        parts: &[(FileKey, ByteRange)],
    ) {
        let answered = |request, result| Event::PackAnswered { request, result };
        let Ok(json) = serde_json::to_string(manifest) else {
            self.feed(answered(request, Err(Failure::NoAnswer)));
            return;
        };
        let kept: Vec<Option<Uint8Array>> = manifest
            .chunks
            .iter()
            .zip(parts)
            .map(|(chunk, &(key, _))| self.reader.take(key, chunk.index))
            .collect();
        let is_buffer = self.sends_buffers();
        let head = head(&json);
        if is_buffer {
            self.gather(request, head, parts.to_vec(), kept);
            return;
        }
        let payload = if kept.iter().all(Option::is_some) {
            Some(Payload::Parts(
                [Some(head)].into_iter().chain(kept).flatten().collect(),
            ))
        } else if let Some(files) = self.whole_files(parts) {
            // What is kept of them is read again with the others: cheaper than any body that mixes both.
            Some(Payload::Form(transport::pack_form(&json, &files)))
        } else {
            self.slices(&head, parts, kept).map(Payload::Blob)
        };
        match payload {
            Some(payload) => self.call(request, route::PACKS, payload, answered, true),
            // A file was let go: sent without it, the pack would be wrong.
            None => self.feed(answered(request, Err(Failure::NoAnswer))),
        }
    }

    /// A pack of references to parts of files, and of what is kept.
    fn slices(
        &self,
        head: &Uint8Array,
        parts: &[(FileKey, ByteRange)],
        kept: Vec<Option<Uint8Array>>,
    ) -> Option<web_sys::Blob> {
        let list = Array::of1(head);
        for (&(key, range), kept) in parts.iter().zip(kept) {
            if let Some(bytes) = kept {
                list.push(&bytes);
            } else {
                let file = self.file(key)?;
                let blob: &gloo_file::Blob = &file;
                list.push(&blob.slice(range.start, range.end).into());
            }
        }
        transport::pack_blob(&list)
    }

    /// The files of a pack, if it carries all bytes of each.
    fn whole_files(&self, parts: &[(FileKey, ByteRange)]) -> Option<Array> {
        let files = Array::new();
        for part in parts.chunk_by(|(one, _), (next, _)| one == next) {
            let &[(key, ByteRange { start, .. }), ..] = part else {
                return None;
            };
            let file = self.file(key)?;
            let length = part.iter().map(|(_, range)| range.len()).sum::<u64>();
            // Chunks of a file are in order and none is there twice, so as many bytes are all bytes.
            if start != 0 || length != file.size() {
                return None;
            }
            let blob: &gloo_file::Blob = &file;
            files.push(AsRef::<web_sys::Blob>::as_ref(blob));
        }
        (files.length() <= FORM_FILES).then_some(files)
    }

    /// Reads what was not kept, then sends it all as one buffer.
    fn gather(
        &self,
        request: RequestId,
        head: Uint8Array,
        parts: Vec<(FileKey, ByteRange)>,
        kept: Vec<Option<Uint8Array>>,
    ) {
        self.gathering.borrow_mut().insert(request, ());
        let me = Weak::clone(&self.me);
        browser::spawn(async move {
            let all = Array::of1(&head);
            let mut is_whole = true;
            for ((key, range), kept) in parts.into_iter().zip(kept) {
                let bytes = match kept {
                    Some(bytes) => Some(bytes),
                    None => {
                        let file = me.upgrade().and_then(|driver: Rc<Self>| driver.file(key));
                        match file {
                            Some(file) => hash::read(&file, range, hash::ALONE).await,
                            None => None,
                        }
                    }
                };
                match bytes {
                    Some(bytes) => drop(all.push(&bytes)),
                    None => is_whole = false,
                }
            }
            let Some(driver) = me.upgrade() else { return };
            // It may have been aborted while the bytes were read.
            if driver.gathering.borrow_mut().remove(&request).is_none() {
                return;
            }
            let answered = |request, result| Event::PackAnswered { request, result };
            if is_whole {
                driver.call(request, route::PACKS, Payload::Parts(all), answered, true);
            } else {
                driver.feed(answered(request, Err(Failure::NoAnswer)));
            }
        });
    }

    fn probe(&self, key: FileKey) {
        let file = self.file(key);
        let me = Weak::clone(&self.me);
        browser::spawn(async move {
            let unchanged = match file {
                Some(file) => hash::probe(&file).await,
                None => None,
            };
            if let Some(driver) = me.upgrade() {
                driver.feed(Event::Probed { key, unchanged });
            }
        });
    }

    fn notify(&self, notice: Notice) {
        let options = &self.options;
        self.let_go(&notice);
        match &notice {
            Notice::Success { receipt, .. } => tell(options.on_success, || receipt.clone()),
            Notice::Skipped { receipt, .. } => tell(options.on_skipped, || receipt.clone()),
            Notice::Error { key, code, words } => {
                let error = self.file_error(*key, *code, words);
                if !self.is_failed(*key) {
                    let said = format!("{}: {words}", error.name);
                    self.board.problem.set(said);
                }
                tell(options.on_error, || error);
            }
            Notice::RestrictionFailed { key, words } => {
                tell(options.on_restriction_failed, || {
                    self.file_error(*key, None, words)
                });
            }
            Notice::Complete => {
                tell(options.on_complete, || {
                    self.engine.borrow().snapshot().totals
                });
            }
            _ => {}
        }
        tell(options.on_event, || notice);
    }

    /// Lets go of a file whose bytes nobody needs any more.
    fn let_go(&self, notice: &Notice) {
        match notice {
            // The picture of an image is made when its row is seen, and that may be later.
            Notice::Success { key, .. } | Notice::Skipped { key, .. } if self.is_image(*key) => {}
            Notice::Success { key, .. }
            | Notice::Skipped { key, .. }
            | Notice::Duplicate { key, .. }
            | Notice::Replaced { key, .. }
            | Notice::Cancelled(key)
            | Notice::Deleted { key, .. } => self.drop_file(*key),
            _ => {}
        }
    }

    fn is_failed(&self, key: FileKey) -> bool {
        let engine = self.engine.borrow();
        let row = engine.snapshot().row(key);
        row.is_some_and(|row| matches!(row.state, FileState::Failed { .. }))
    }

    fn is_image(&self, key: FileKey) -> bool {
        let engine = self.engine.borrow();
        let row = engine.snapshot().row(key);
        row.and_then(|row| row.media_type)
            .is_some_and(|media_type| media_type.starts_with("image/"))
    }

    fn file_error(
        &self,
        key: FileKey,
        code: Option<hoist_protocol::ErrorCode>,
        words: &str,
    ) -> FileError {
        let engine = self.engine.borrow();
        let row = engine.snapshot().row(key);
        FileError {
            key,
            name: row
                .as_ref()
                .map(|row| row.name.to_owned())
                .unwrap_or_default(),
            path: row
                .as_ref()
                .map(|row| row.path.to_owned())
                .unwrap_or_default(),
            code,
            words: words.to_owned(),
        }
    }

    /// Deletes without a confirmation are told again in a way that outlives the page.
    pub(super) fn tell_deletes_again(&self) {
        deletes::tell_again(&self.options, &self.url(route::DELETE));
    }
}

/// Calls the host page, if it wants to know. What it is told is made before, so that nothing is
/// borrowed while its code runs.
fn tell<T: 'static>(callback: Option<Callback<T>>, value: impl FnOnce() -> T) {
    if let Some(callback) = callback {
        let value = value();
        // `try_run`, because the callback may have been disposed with the component that made it.
        let _ = callback.try_run(value);
    }
}

/// The manifest and its length: what stands before the bytes of a pack.
fn head(json: &str) -> Uint8Array {
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    let head = [&length.to_be_bytes(), json.as_bytes()].concat();
    Uint8Array::from(head.as_slice())
}
