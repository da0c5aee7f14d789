//! One request; `js/calls.js` sends it.

use js_sys::{Array, Function};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{Blob, FormData};

use super::{Answer, headers};
use crate::options::UploaderOptions;

const BYTES: &str = "application/octet-stream";

/// What is sent.
pub(crate) enum Payload {
    /// Nothing: a `GET`.
    None,
    /// JSON.
    Json(String),
    /// A pack made of references to files and of buffers.
    Blob(Blob),
    /// A pack in memory, as a list of [`js_sys::Uint8Array`], the manifest first. Their memory is taken.
    Parts(Array),
    /// A pack of whole files.
    Form(FormData),
}

/// One request that is under way. It owns its handlers; dropping it aborts the request, and no
/// handler is called any more.
pub(crate) struct Call {
    abort: Function,
    _ended: Closure<dyn FnMut(u16, Option<String>, String)>,
    _progress: Option<Closure<dyn FnMut(f64)>>,
}

impl Call {
    /// Sends a request; `ended` is called once, `progress` with the bytes handed to the network.
    /// `None` if the browser refuses to send it at all.
    pub(crate) fn send(
        options: &UploaderOptions,
        url: &str,
        payload: Payload,
        ended: Box<dyn FnOnce(Answer)>,
        progress: Option<Box<dyn Fn(u64)>>,
    ) -> Option<Self> {
        let mut ended = Some(ended);
        let on_end = Closure::<dyn FnMut(_, _, _)>::new(move |status, retry_after, text| {
            if let Some(ended) = ended.take() {
                ended(Answer {
                    status,
                    retry_after,
                    text,
                });
            }
        });
        let on_progress = progress.map(|progress| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of bytes, whole and not negative"
            )]
            Closure::<dyn FnMut(f64)>::new(move |sent| progress(sent as u64))
        });
        let (body, media_type) = match payload {
            Payload::None => (JsValue::UNDEFINED, None),
            Payload::Json(text) => (text.into(), Some("application/json")),
            Payload::Blob(blob) => (blob.into(), Some(BYTES)),
            Payload::Parts(parts) => (parts.into(), Some(BYTES)),
            Payload::Form(form) => (form.into(), None),
        };
        let abort = send(
            url,
            headers(options),
            options.with_credentials,
            body,
            media_type,
            on_end.as_ref().unchecked_ref(),
            on_progress
                .as_ref()
                .map(|closure| closure.as_ref().unchecked_ref()),
        )?;
        Some(Self {
            abort,
            _ended: on_end,
            _progress: on_progress,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let _ = self.abort.call0(&JsValue::UNDEFINED);
    }
}

#[wasm_bindgen(module = "/js/calls.js")]
extern "C" {
    /// Sends a request; the answer aborts it.
    fn send(
        url: &str,
        headers: Array,
        credentials: bool,
        body: JsValue,
        media_type: Option<&str>,
        ended: &Function,
        progress: Option<&Function>,
    ) -> Option<Function>;
}

#[wasm_bindgen(module = "/js/socket.js")]
extern "C" {
    /// Closes the WebSockets through which nothing is sent.
    #[wasm_bindgen(js_name = closeIdle)]
    pub(crate) fn close_idle_sockets();
}

#[wasm_bindgen(module = "/js/bytes.js")]
extern "C" {
    /// A pack of whole files.
    #[wasm_bindgen(js_name = packForm)]
    pub(crate) fn pack_form(manifest: &str, files: &Array) -> FormData;
}

/// A pack as a list of references: what lies on the disk is read by the browser when it is sent.
pub(crate) fn pack_blob(parts: &Array) -> Option<Blob> {
    Blob::new_with_blob_sequence(parts).ok()
}
