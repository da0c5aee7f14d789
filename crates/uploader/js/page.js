// What only a browser knows.

/** Sixteen random bytes as hexadecimal digits, from the browser's own source where there is one. */
export function randomHex() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => (bytes[i] = Math.random() * 256));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Puts a text on the clipboard; there is none on a page without TLS. */
export const copy = async (text) => navigator.clipboard.writeText(text);

/** Waits; a wait of 0 lets the page draw and react, and is no wait: a timer would come 4 ms later. */
export const sleep = (ms) =>
  new Promise((done) => {
    if (ms > 0) return setTimeout(done, ms);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(0);
  });

/** Milliseconds since the epoch by a clock that does not jump when the machine's is set. */
export const nowMs = () => performance.timeOrigin + performance.now();

/** Whether a user agent is Safari, or any browser on an iPhone: WebKit without Chromium's own name. */
export const isWebKit = (agent) => /AppleWebKit/.test(agent) && !/Chrome\/|Chromium\/|Android/.test(agent);

/** Whether a host is this machine. */
export const isLoopback = (host) => /^(localhost|.*\.localhost|\[::1\]|127\.[\d.]+)$/.test(host);

export const isSafari = () => isWebKit(navigator.userAgent);

/** Whether the server of this path or address is this machine: it needs no network. */
export const isLocal = (endpoint) => endpoint.startsWith('/') && isLoopback(location.hostname);

/** Whether the browser believes to have a network. */
export const isOnline = () => navigator.onLine;

/** Whether anybody can see the page. */
export const isSeen = () => !document.hidden;

let watch;

/**
 * Keeps the place of somebody, if what has the focus goes by what they have just done: then its row has the focus, or the next one,
 * or what it stood in. Never another button, which they would press by pressing twice.
 */
export function keepFocus() {
  const focused = document.activeElement;
  // A browser that focuses no button at a click has nothing to lose.
  if (focused === document.body) return;
  const around = focused.closest('li, section, details');
  const row = around?.matches('li') ? around : undefined;
  const near = [row, row?.nextElementSibling, row?.previousElementSibling, focused.closest('[role=region]'), focused.closest('section, details, main')];
  watch?.disconnect();
  watch = new MutationObserver(() => {
    const hasGone = !focused.isConnected;
    if (!hasGone && document.activeElement === focused) return;
    watch.disconnect();
    const place = near.find((place) => place?.isConnected);
    if (!hasGone || document.activeElement !== document.body || !place) return;
    if (!place.hasAttribute('tabindex')) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });
  watch.observe(document.body, { childList: true, subtree: true });
}
