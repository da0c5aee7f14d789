// Requests. Only XMLHttpRequest shows bytes on their way.

import { giveBack, join } from './memory.js';
import { carry, mayCarry, measure } from './socket.js';

/**
 * Sends a request. `body`: nothing for a GET; a list of byte arrays is a pack, whose memory is given back; all else is
 * sent as it is. `ended(status, wait, text)` is called once, with status 0 if there was no answer, and `progress(sent)`
 * for what the network took. Answers a function that aborts it, without a call of `ended`; `undefined` if the browser
 * refuses to send it at all.
 */
export function send(url, headers, credentials, body, type, ended, progress) {
  try {
    if (Array.isArray(body) && mayCarry(url, headers, body)) return carry(url, body, ended, progress);
  } catch (error) {
    console.error(error); // nothing has been given away
  }
  return ask(url, headers, credentials, body, type, ended, progress);
}

function ask(url, headers, credentials, body, type, ended, progress) {
  try {
    const isPack = Array.isArray(body);
    const bytes = isPack ? join(body) : body;
    const xhr = new XMLHttpRequest();
    xhr.open(body === undefined ? 'GET' : 'POST', url);
    xhr.withCredentials = credentials;
    for (const [name, value] of headers) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader('accept', 'application/json');
    // Of a form the browser names the type, because it chooses what stands between the parts.
    if (type) xhr.setRequestHeader('content-type', type);
    // `loadend` comes after load, error and timeout alike, and once.
    xhr.onloadend = () => {
      const { status } = xhr;
      // Only after a real answer: a missing header would be said on the console.
      const wait = [429, 503].includes(status) ? xhr.getResponseHeader('retry-after') : null;
      // Not before: who knows who has a hand in sending it.
      if (isPack) giveBack(bytes);
      if (isPack && status === 200) measure(bytes.length);
      ended(status, wait ?? undefined, xhr.responseText);
    };
    // A listener on the upload costs a preflight elsewhere, so only packs have one.
    if (progress) xhr.upload.onprogress = ({ loaded }) => progress(loaded);
    xhr.send(bytes);
    if (isPack) body.forEach(giveBack);
    return () => {
      // First the handlers: an abort calls them.
      xhr.onloadend = null;
      if (progress) xhr.upload.onprogress = null;
      xhr.abort();
    };
  } catch (error) {
    console.error(error); // the page takes it for a broken line
    return undefined;
  }
}
