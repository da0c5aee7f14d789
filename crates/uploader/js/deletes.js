// Deletes that the server has not confirmed. They are kept where they outlive the page, and told
// again by the next one: a file that somebody has cancelled must not stay because a line was down.
// They are idempotent, so it does no harm to tell them from two pages.

const LONGEST_WAIT = 30_000;
/** A request that outlives its page may carry 64 KiB. */
const AT_ONCE = 500;
/** Statuses that pass; all others from 400 to 499 are a refusal, which is not told again. */
const PASSES = [408, 413, 425, 429];

const name = (url) => `hoist-deletes ${url}`;
/** By address: what this page tells although nobody shows it any more, and how to do so at once. */
const telling = new Map();

function stored(url) {
  try {
    return JSON.parse(localStorage.getItem(name(url))).filter((id) => typeof id === 'string');
  } catch {
    return []; // nothing is there, no storage is allowed here, or somebody else has written
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

/** Keeps what the request `now` wants deleted, instead of what `before` wanted; each may be empty. */
export function keep(url, before, now) {
  const idsOf = (request) => (request ? JSON.parse(request).ids : []);
  const old = new Set(idsOf(before));
  const others = stored(url).filter((id) => !old.has(id));
  store(url, [...new Set([...others, ...idsOf(now)])]);
}

/** What is kept, as one text. */
export const kept = (url) => stored(url).join(' ');

/** Lets go of what an answer confirms or refuses. `false` if nobody is signed in. */
async function settle(url, ids, answer) {
  const { status } = answer;
  if (status === 401) return false;
  let over = ids;
  if (status < 400 || status >= 500 || PASSES.includes(status)) {
    let results;
    try {
      ({ results } = JSON.parse(await answer.text()));
    } catch {
      // Some proxy's.
    }
    // Whatever may pass says when to ask again.
    over = ids.filter((_, i) => results?.[i]?.result && !results[i].retry_after_ms);
  }
  const done = new Set(over);
  store(
    url,
    stored(url).filter((id) => !done.has(id)),
  );
  return true;
}

/** Tells what is kept until all of it is settled, at once and then less and less often. */
export async function tell(url, pairs, credentials) {
  const ids = stored(url);
  if (ids.length === 0) return;
  const running = telling.get(url);
  if (running) {
    for (const id of ids) running.wanted.add(id);
    return running.wake();
  }
  const me = { wanted: new Set(ids), wake: () => undefined };
  telling.set(url, me);
  const headers = new Headers({ 'content-type': 'application/json' });
  for (const [header, value] of pairs) headers.set(header, value);
  const left = () => stored(url).filter((id) => me.wanted.has(id));
  let most = AT_ONCE;
  for (let wait = 1000, now = left(); now.length > 0; now = left()) {
    const some = now.slice(0, most);
    try {
      const body = JSON.stringify({ ids: some });
      const answer = await fetch(url, { method: 'POST', headers, body, keepalive: true, credentials: credentials ? 'include' : 'same-origin' });
      if (answer.status === 413) most = Math.ceil(most / 2); // the server takes fewer at once
      if (!(await settle(url, some, answer))) break;
    } catch {
      // No answer.
    }
    if (left().length < now.length) continue;
    await new Promise((done) => {
      me.wake = done;
      setTimeout(done, wait);
    });
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
  telling.delete(url);
}
