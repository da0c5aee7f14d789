//! `XMLHttpRequest`: the only way to see bytes go.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, closure::Closure, prelude::wasm_bindgen};
use web_sys::{Blob, FormData, ProgressEvent, XmlHttpRequest};

use super::Answer;
use crate::options::UploaderOptions;

/// What is sent.
pub(crate) enum Payload {
    /// Nothing: a `GET`.
    None,
    /// JSON.
    Json(String),
    /// A pack made of references to files and of buffers.
    Blob(Blob),
    /// A pack in one buffer.
    Buffer(Uint8Array),
    /// A pack of whole files.
    Form(FormData),
}

/// One request that is under way. It owns its handlers; dropping it aborts the request, and no
/// handler is called any more.
pub(crate) struct Call {
    xhr: XmlHttpRequest,
    _ended: Closure<dyn FnMut(ProgressEvent)>,
    _progress: Option<Closure<dyn FnMut(ProgressEvent)>>,
}

impl Call {
    /// Sends a request; `ended` is called once, `progress` with the bytes handed to the network.
    /// `None` if the browser refuses to send it at all.
    pub(crate) fn send(
        options: &UploaderOptions,
        url: &str,
        payload: &Payload,
        ended: Box<dyn FnOnce(Answer)>,
        progress: Option<Box<dyn FnMut(u64)>>,
    ) -> Option<Self> {
        let xhr = XmlHttpRequest::new().ok()?;
        let is_get = matches!(payload, Payload::None);
        xhr.open_with_async(if is_get { "GET" } else { "POST" }, url, true)
            .ok()?;
        xhr.set_with_credentials(options.with_credentials);
        for (name, value) in &options.headers {
            xhr.set_request_header(name, value).ok()?;
        }
        xhr.set_request_header("accept", "application/json").ok()?;

        let mut ended = Some(ended);
        let asked = xhr.clone();
        // `loadend` comes after load, error and timeout alike, and once.
        let on_end = Closure::<dyn FnMut(ProgressEvent)>::new(move |_| {
            let status = asked.status().unwrap_or(0);
            let answer = Answer {
                status,
                // Only after a real answer: a missing header would be said on the console.
                retry_after: matches!(status, 429 | 503)
                    .then(|| asked.get_response_header("retry-after").ok().flatten())
                    .flatten(),
                text: asked.response_text().ok().flatten().unwrap_or_default(),
            };
            if let Some(ended) = ended.take() {
                ended(answer);
            }
        });
        xhr.set_onloadend(Some(on_end.as_ref().unchecked_ref()));

        // A listener on the upload costs a preflight elsewhere, so only packs have one.
        let on_progress = progress.and_then(|mut progress| {
            let closure = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of bytes, whole and not negative"
                )]
                progress(event.loaded() as u64);
            });
            let upload = xhr.upload().ok()?;
            upload.set_onprogress(Some(closure.as_ref().unchecked_ref()));
            Some(closure)
        });

        match payload {
            Payload::None => xhr.send(),
            Payload::Json(text) => {
                xhr.set_request_header("content-type", "application/json")
                    .ok()?;
                xhr.send_with_opt_str(Some(text))
            }
            Payload::Blob(blob) => {
                xhr.set_request_header("content-type", "application/octet-stream")
                    .ok()?;
                xhr.send_with_opt_blob(Some(blob))
            }
            Payload::Buffer(buffer) => {
                xhr.set_request_header("content-type", "application/octet-stream")
                    .ok()?;
                xhr.send_with_opt_js_u8_array(Some(buffer))
            }
            // The browser names the type, because it chooses what stands between the parts.
            Payload::Form(form) => xhr.send_with_opt_form_data(Some(form)),
        }
        .ok()?;
        Some(Self {
            xhr,
            _ended: on_end,
            _progress: on_progress,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // First the handlers: an abort calls them.
        self.xhr.set_onloadend(None);
        if let Ok(upload) = self.xhr.upload() {
            upload.set_onprogress(None);
        }
        let _ = self.xhr.abort();
    }
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

/// A pack in one buffer.
pub(crate) fn pack_buffer(parts: &[Uint8Array]) -> Uint8Array {
    let length = parts
        .iter()
        .map(Uint8Array::length)
        .fold(0, u32::saturating_add);
    let whole = Uint8Array::new_with_length(length);
    let mut at = 0;
    for part in parts {
        whole.set(part, at);
        at += part.length();
    }
    whole
}
