//! The few things of a browser that everything here needs: time, timers, frames, listeners.

use std::pin::Pin;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, EventTarget, Window};

pub(crate) fn window() -> Option<Window> {
    web_sys::window()
}

/// Starts a task. Boxed, so that what runs it is in the wasm once and not for each kind of task.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    let task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(task);
    wasm_bindgen_futures::spawn_local(task);
}

/// Waits; a wait of 0 lets the page draw and react.
pub(crate) async fn sleep(ms: i32) {
    let _ = JsFuture::from(wait(ms)).await;
}

/// Waits for a promise, or for what only looks like one.
pub(crate) async fn promised(start: impl FnOnce(&Function, &Function)) -> Result<JsValue, JsValue> {
    let mut start = Some(start);
    let promise = Promise::new(&mut |resolve, reject| {
        if let Some(start) = start.take() {
            start(&resolve, &reject);
        }
    });
    JsFuture::from(promise).await
}

/// A property that this browser may not have.
pub(crate) fn property(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &JsValue::from_str(name))
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}

#[wasm_bindgen(module = "/js/page.js")]
extern "C" {
    /// Sixteen random bytes as hexadecimal digits, from the browser's own source.
    #[wasm_bindgen(js_name = randomHex)]
    pub(crate) fn random_hex() -> String;
    /// Milliseconds since the epoch by a clock that does not jump when the machine's is set.
    #[wasm_bindgen(js_name = nowMs)]
    pub(crate) fn now_ms() -> f64;
    /// Safari, and every browser on an iPhone.
    #[wasm_bindgen(js_name = isSafari)]
    pub(crate) fn is_safari() -> bool;
    /// Whether the server of this path or address is this machine: it needs no network.
    #[wasm_bindgen(js_name = isLocal)]
    pub(crate) fn is_local(endpoint: &str) -> bool;
    #[wasm_bindgen(js_name = isOnline)]
    pub(crate) fn is_online() -> bool;
    /// Whether anybody can see the page.
    #[wasm_bindgen(js_name = isSeen)]
    pub(crate) fn is_seen() -> bool;
    /// Moves the focus to what is near if what has it now goes.
    #[wasm_bindgen(js_name = keepFocus)]
    pub(crate) fn keep_focus();
    /// Puts a text on the clipboard; fails where there is none.
    pub(crate) fn copy(text: &str) -> Promise;
    #[wasm_bindgen(js_name = sleep)]
    fn wait(ms: i32) -> Promise;
}

/// A listener that ends when it is dropped.
pub(crate) struct Listener {
    target: EventTarget,
    kind: &'static str,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub(crate) fn new(
        target: &EventTarget,
        kind: &'static str,
        handle: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::<dyn FnMut(Event)>::new(handle);
        let _ = target.add_event_listener_with_callback(kind, closure.as_ref().unchecked_ref());
        Self {
            target: target.clone(),
            kind,
            closure,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = self.closure.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback(self.kind, function);
    }
}

/// One timeout or one animation frame that is asked for again and again.
pub(crate) struct Wake {
    closure: Closure<dyn FnMut()>,
}

impl Wake {
    pub(crate) fn new(handle: impl FnMut() + 'static) -> Self {
        Self {
            closure: Closure::new(handle),
        }
    }

    /// Calls after so many milliseconds; the id is for [`clear_timeout`].
    pub(crate) fn after(&self, ms: i32) -> Option<i32> {
        window()?
            .set_timeout_with_callback_and_timeout_and_arguments_0(
                self.closure.as_ref().unchecked_ref(),
                ms,
            )
            .ok()
    }

    /// Calls before the next frame is drawn; the id is for [`cancel_frame`].
    pub(crate) fn at_frame(&self) -> Option<i32> {
        window()?
            .request_animation_frame(self.closure.as_ref().unchecked_ref())
            .ok()
    }
}

pub(crate) fn cancel_frame(id: i32) {
    if let Some(window) = window() {
        let _ = window.cancel_animation_frame(id);
    }
}

pub(crate) fn clear_timeout(id: i32) {
    if let Some(window) = window() {
        window.clear_timeout_with_handle(id);
    }
}
