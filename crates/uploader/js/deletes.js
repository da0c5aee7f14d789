// Deletes that the server has not confirmed. They are kept where they outlive the page, and told
// again by the next one: a file that somebody has cancelled must not stay because a line was down.
// They are idempotent, so it does no harm to tell them from two pages.

const LONGEST_WAIT = 30_000;
/** A request that outlives its page may carry 64 KiB. */
const AT_ONCE = 500;
/** Answers about one upload after which telling it again changes nothing. */
const FINAL = ['not_found', 'expired', 'forbidden'];
/** Answers after which another page may try, but not this one: nobody is signed in, or is there. */
const NOT_NOW = [401, 404, 405];
/** Answers that the page has shown as a refusal; it must not be deleted behind its back later. */
const REFUSED = [400, 403, 422];

const name = (url) => `hoist-deletes ${url}`;
/** Addresses for which a page tells already. */
const telling = new Set();

function stored(url) {
  try {
    return JSON.parse(localStorage.getItem(name(url))) ?? [];
  } catch {
    return []; // no storage is allowed here, or somebody else has written
  }
}

function store(url, ids) {
  try {
    if (ids.length > 0) localStorage.setItem(name(url), JSON.stringify(ids));
    else localStorage.removeItem(name(url));
  } catch {
    // The page tells it for as long as it lives.
  }
}

/** Keeps what a request wants deleted. */
export function remember(url, request) {
  store(url, [...new Set([...stored(url), ...JSON.parse(request).ids])]);
}

/** Lets go of what an answer confirms or refuses; no answer, or one that is not ours, does neither. */
export function forget(url, request, status, answer) {
  const { ids } = JSON.parse(request);
  if (REFUSED.includes(status)) return drop(url, (id) => ids.includes(id));
  try {
    const { results } = JSON.parse(answer);
    const isOver = (result) => result && (result.status !== 'refused' || FINAL.includes(result.code));
    drop(url, (id) => isOver(results[ids.indexOf(id)]));
  } catch {
    // Not ours.
  }
}

function drop(url, isOver) {
  store(
    url,
    stored(url).filter((id) => !isOver(id)),
  );
}

/** Tells what is kept until all of it is confirmed, at once and then less and less often. */
export async function tell(url, names, values, credentials) {
  const wanted = new Set(stored(url));
  if (wanted.size === 0 || telling.has(url)) return;
  telling.add(url);
  const headers = new Headers({ 'content-type': 'application/json' });
  names.forEach((header, i) => headers.set(header, values[i]));
  let most = AT_ONCE;
  for (let wait = 1000; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    const ids = stored(url).filter((id) => wanted.has(id));
    if (ids.length === 0) break;
    const body = JSON.stringify({ ids: ids.slice(0, most) });
    try {
      const answer = await fetch(url, { method: 'POST', headers, body, keepalive: true, credentials: credentials ? 'include' : 'same-origin' });
      if (NOT_NOW.includes(answer.status)) break;
      if (answer.status === 413 && most > 1) most = Math.ceil(most / 2); // the server takes fewer at once
      else forget(url, body, answer.status, await answer.text());
    } catch {
      // No answer.
    }
    if (stored(url).filter((id) => wanted.has(id)).length < ids.length) wait = 500;
    else await new Promise((done) => setTimeout(done, wait));
  }
  telling.delete(url);
}
