// Packs over WebSockets, in a worker: what a page sends from memory is then copied into memory that the browser has
// already, and beside the page's own work (small files are put together before). Only where the browser is slower
// than the line; all else is a request.
//
// This file is both sides: the worker is made of it, because its own address is the only one that it knows.

import { apart, giveBack, isRoomy, lengthOf, own } from './memory.js';
import { isLocal } from './page.js';

const NAME = 'hoist-sockets';
/** As many as the page sends packs at one time. */
const SOCKETS = 4;
/** Bytes of one message, and most that are on their way and not yet taken. */
const MESSAGE = 256 << 10;
const WINDOW = 2 << 20;
/** Packs of fewer bytes gain nothing. */
const LEAST = 64 << 10;
/** Sockets through which nothing goes are closed after this long; after a failure none is opened for as long. */
const REST_MS = 20_000;
/** And for so long where none has ever carried anything: somebody on the way knows no WebSockets, or the server has no place. */
const LONG_REST_MS = 300_000;
/** One that is closed by the server sooner than this was not welcome, and not merely old. */
const YOUNG_MS = 10_000;
/** Bytes in a millisecond above which a line is faster than this browser's requests; a Gbit/s is 125 000. */
const FAST = 150_000;
/** Requests in a row by which a line is judged, and milliseconds after which one begins a new row. */
const ROW = 12;
const PAUSE_MS = 2000;

// The page's side.

let worker;
/** Where it has sockets to, and how many of them are open and free. */
let target;
let free = 0;
/** Whether this worker has had an open socket, and whether a pack was ever answered there. */
let hasOpened = false;
let isProven = false;
let notBefore = 0;
let resting;
let lastId = 0;
/** What goes through sockets now: who is told of it. */
const packs = new Map();
/** When the last requests ended, and their bytes. */
let row = [];
let isFast = false;

/** A request took so many bytes to the server. */
export function measure(bytes, now = performance.now()) {
  if (now - (row.at(-1)?.now ?? 0) > PAUSE_MS) row = [];
  row.push({ now, bytes });
  if (row.length < ROW) return;
  // What the first one brought, it brought before.
  const sum = row.reduce((all, { bytes }) => all + bytes, -row[0].bytes);
  isFast = sum > FAST * (now - row[0].now);
  row.shift();
}

/** Whether a pack can go through a socket now; if it is only for want of one, some are opened for those to come. */
export function mayCarry(url, headers, parts) {
  if (!isRoomy || lengthOf(parts) < LEAST || !(isFast || isLocal(url)) || !isOfUse(url, headers)) return false;
  if (!worker && performance.now() >= notBefore) start(url);
  return worker !== undefined && target === url && free > 0;
}

function isOfUse(url, headers) {
  // A handshake has no headers of ours, and has the visitor's cookie anywhere: only here it is known to be welcome.
  const { origin, pathname } = new URL(url, location.href);
  const isHere = headers.length === 0 && origin === location.origin && pathname.endsWith('/packs');
  // In somebody's bundle this would be all of their program.
  return isHere && new URL(import.meta.url).pathname.endsWith('/socket.js');
}

/** Sends a pack, as `send` of `calls.js`. Throws before anything is given away, or not at all. */
export function carry(url, parts, ended, progress) {
  const id = ++lastId;
  // The head has memory of its own, of which nobody needs more.
  const sent = [parts[0], ...apart(parts.slice(1))];
  worker.postMessage(
    { id, parts: sent },
    sent.map(({ buffer }) => buffer),
  );
  packs.set(id, { ended, progress });
  // What was copied; what was given away has no memory any more.
  parts.forEach(giveBack);
  free -= 1;
  clearTimeout(resting);
  return () => {
    if (!packs.delete(id)) return;
    worker?.postMessage({ id });
    rest();
  };
}

function start(url) {
  const address = new URL(url.replace(/packs$/, 'socket'), location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  try {
    worker = new Worker(import.meta.url, { type: 'module', name: NAME });
  } catch {
    notBefore = Infinity; // of another origin than the page, as on a CDN, or forbidden by its policy
    return;
  }
  if (target !== url) isProven = false;
  target = url;
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = fail;
  worker.postMessage({ address: address.href });
  addEventListener('pagehide', stop);
  rest();
}

function hear({ change, isOver, spare, id, taken, status, body }) {
  if (change) free += change;
  if (change > 0) hasOpened = true;
  if (status > 0) isProven = true;
  if (spare) {
    own(spare);
    giveBack({ buffer: spare });
  }
  const pack = packs.get(id);
  if (taken !== undefined) pack?.progress(taken);
  if (status !== undefined) {
    packs.delete(id);
    rest();
    pack?.ended(status, undefined, body);
  }
  if (isOver) fail();
}

/** There are no sockets, or none any more. */
function fail() {
  notBefore = performance.now() + (isProven ? REST_MS : LONG_REST_MS);
  stop();
}

function rest() {
  clearTimeout(resting);
  // If none has opened by then, none will.
  if (worker && packs.size === 0) resting = setTimeout(hasOpened ? stop : fail, REST_MS);
}

/** Closes what nobody uses. */
export function closeIdle() {
  if (packs.size === 0) stop();
}

/** Ends the worker, and with it all that it has under way: a page that goes must not go on sending. */
function stop() {
  clearTimeout(resting);
  if (worker) worker.onmessage = worker.onerror = null;
  worker?.terminate();
  worker = undefined;
  free = 0;
  hasOpened = isFast = false;
  row = [];
  removeEventListener('pagehide', stop);
  for (const [id, { ended }] of [...packs]) {
    // One of those before may have aborted it.
    if (!packs.delete(id)) continue;
    try {
      ended(0, undefined, '');
    } catch (error) {
      console.error(error); // the others must hear of theirs
    }
  }
}

// The worker's side.

let address;
/** Whether one was refused, cut or given up: then no more are opened, and when the last has gone requests take over. */
let hasFailed = false;
const sockets = new Set();
/** Packs for which there was a socket when the page gave them away. */
let waiting = [];

if (globalThis.name === NAME && !globalThis.document) {
  globalThis.onmessage = ({ data }) => {
    if (data.address) {
      ({ address } = data);
      // One, to see whether there are any.
      open();
    } else if (data.parts) begin(data);
    else {
      // It may have been given up because nothing moved any more; where somebody has cancelled it, that costs little.
      hasFailed = true;
      waiting = waiting.filter(({ id }) => id !== data.id);
      const socket = [...sockets].find(({ pack }) => pack?.id === data.id);
      if (socket) close(socket);
    }
  };
}

function open() {
  const line = new WebSocket(address);
  const socket = { line, pack: undefined, isOpen: false, openedAt: 0 };
  sockets.add(socket);
  line.onopen = () => {
    socket.isOpen = true;
    socket.openedAt = performance.now();
    postMessage({ change: 1 });
    if (waiting.length > 0) give(socket, waiting.shift());
    if (!hasFailed && sockets.size < SOCKETS) open();
  };
  line.onmessage = ({ data }) => hearServer(socket, JSON.parse(data));
  line.onclose = () => {
    const { pack, isOpen, openedAt } = socket;
    // Else whoever lets in and shuts the door at once would be asked without an end.
    hasFailed ||= !isOpen || pack !== undefined || performance.now() - openedAt < YOUNG_MS;
    if (pack) postMessage({ id: pack.id, status: 0, body: '' });
    else if (isOpen) postMessage({ change: -1 });
    gone(socket);
  };
}

/** In its place another one is opened, as long as that succeeds. */
function gone(socket) {
  sockets.delete(socket);
  if (!hasFailed) return open();
  for (const { id } of waiting) bounce(id);
  waiting = [];
  if (sockets.size === 0) postMessage({ isOver: true });
}

const bounce = (id) => postMessage({ id, status: 0, body: '', change: 1 });

/** Closes a socket that is not free. */
function close(socket) {
  socket.line.onmessage = socket.line.onclose = null;
  socket.line.close();
  gone(socket);
}

function begin({ id, parts }) {
  const pack = { id, parts, length: lengthOf(parts), at: 0, offset: 0, sent: 0, taken: 0 };
  const socket = [...sockets].find(({ line, pack }) => line.readyState === WebSocket.OPEN && !pack);
  if (socket) give(socket, pack);
  // The server has closed it, and the page has not heard yet.
  else if (hasFailed) bounce(id);
  else waiting.push(pack);
}

function give(socket, pack) {
  socket.pack = pack;
  socket.line.send(JSON.stringify({ length: pack.length }));
  pump(socket);
}

function pump({ line, pack }) {
  while (pack.at < pack.parts.length && pack.sent - pack.taken < WINDOW) {
    const part = pack.parts[pack.at];
    const piece = part.subarray(pack.offset, pack.offset + MESSAGE);
    line.send(piece);
    pack.sent += piece.length;
    pack.offset += piece.length;
    if (pack.offset < part.length) continue;
    // It has been copied: the next reading can have its memory.
    if (pack.at > 0) postMessage({ spare: part.buffer }, [part.buffer]);
    pack.at += 1;
    pack.offset = 0;
  }
}

function hearServer(socket, { taken, status, body, last }) {
  const { pack } = socket;
  if (!pack) return;
  if (taken !== undefined) {
    pack.taken = taken;
    postMessage({ id: pack.id, taken });
    pump(socket);
  } else if (last) {
    postMessage({ id: pack.id, status, body });
    close(socket);
  } else {
    socket.pack = undefined;
    postMessage({ id: pack.id, status, body, change: 1 });
  }
}
