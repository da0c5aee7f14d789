// Thumbnails: small pictures of images, made in a worker and only for boxes that are nearly seen.
//
// This one file is both sides. The page imports it; for the first picture it starts itself again as a
// worker, from its own address, which a policy of `script-src 'self'` allows and `blob:` would not be.
// So an app that embeds the uploader has nothing to serve or to configure.

const NAME = 'hoist-thumbnails';
/** Pictures under way at a time. All at once would hold every photo in memory, uncompressed. */
const AT_ONCE = 2;
/** How far outside of what is seen a box is nearly seen. */
const NEAR = '300px';
const TYPE = 'image/webp'; // a browser that cannot write it writes PNG

/** A blob with the picture, scaled to fit; fails if the source is no picture that this browser can read. */
async function scaled({ source, width, height, credentials }) {
  let file = source;
  if (typeof source === 'string') {
    const answer = await fetch(source, { credentials });
    if (!answer.ok) throw new Error(answer.statusText);
    file = await answer.blob();
  }
  // Scaled while it is decoded, and turned as its EXIF says. With the width alone it keeps its proportions.
  const bitmap = await createImageBitmap(file, { resizeWidth: width, resizeQuality: 'medium' });
  const fit = Math.min(1, height / bitmap.height);
  const size = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * fit)));
  let canvas;
  if (typeof OffscreenCanvas === 'undefined') {
    canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = size;
  } else {
    canvas = new OffscreenCanvas(...size);
  }
  canvas.getContext('2d').drawImage(bitmap, 0, 0, ...size);
  bitmap.close();
  if (canvas.convertToBlob) return canvas.convertToBlob({ type: TYPE });
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no blob'))), TYPE));
}

if (typeof WorkerGlobalScope !== 'undefined' && self instanceof WorkerGlobalScope && self.name === NAME) {
  self.onmessage = async ({ data }) => {
    const { id } = data;
    if (typeof OffscreenCanvas === 'undefined') return self.postMessage({ id, unable: true });
    try {
      self.postMessage({ id, blob: await scaled(data) });
    } catch {
      self.postMessage({ id });
    }
  };
}

// What follows is the page's side.

/** By number: `{ id, box, source, …, state, near, url }`; state is idle, waiting, running, shown or failed. */
const jobs = new Map();
/** By box, so that a box that is gone is not kept. */
const byBox = new WeakMap();
const waiting = [];
let running = 0;
let numbers = 0;
let observer;
let worker;
let workers = typeof Worker !== 'undefined' && typeof OffscreenCanvas !== 'undefined';
/** By number: who waits for the worker's answer. */
const asked = new Map();

/** Without a worker from now on; what it was asked for is made here. */
function withoutWorker() {
  workers = false;
  worker?.terminate();
  worker = undefined;
  for (const settle of asked.values()) settle({ unable: true });
}

function ask(job) {
  // By the page's address, which is not the worker's.
  if (typeof job.source === 'string') job.source = new URL(job.source, document.baseURI).href;
  if (workers && !worker) {
    try {
      worker = new Worker(import.meta.url, { type: 'module', name: NAME });
      worker.onerror = withoutWorker; // blocked, or too old for modules
      worker.onmessage = ({ data }) => asked.get(data.id)?.(data);
    } catch {
      withoutWorker();
    }
  }
  if (!worker) return scaled(job);
  return new Promise((done, fail) => {
    asked.set(job.id, ({ blob, unable }) => {
      asked.delete(job.id);
      if (unable) {
        if (worker) withoutWorker();
        scaled(job).then(done, fail);
      } else if (blob) done(blob);
      else fail(new Error('no picture'));
    });
    const { id, source, width, height, credentials } = job;
    worker.postMessage({ id, source, width, height, credentials });
  });
}

/** Never throws, as an async function: what calls `show` is wasm, which must not be unwound. */
async function make(job) {
  const blob = await ask(job);
  if (!job.near) return 'idle'; // it has left meanwhile
  job.url = URL.createObjectURL(blob);
  const picture = new Image();
  picture.className = 'hoist-uploader__picture';
  picture.alt = '';
  picture.draggable = false;
  picture.src = job.url;
  await picture.decode();
  if (!job.near) return 'idle';
  picture.width = Math.max(1, Math.round(picture.naturalWidth / job.density));
  picture.height = Math.max(1, Math.round(picture.naturalHeight / job.density));
  job.box.append(picture);
  job.box.classList.add('hoist-uploader__icon--pictured');
  return 'shown';
}

function pump() {
  while (running < AT_ONCE && waiting.length > 0) {
    const job = waiting.shift();
    running += 1;
    job.state = 'running';
    make(job)
      .catch(() => 'failed') // the type icon stays
      .then((state) => {
        running -= 1;
        job.state = state;
        if (state !== 'shown') release(job);
        if (state === 'idle' && job.near) see(job, true); // it has come back meanwhile
        pump();
        rest();
      });
  }
}

/** Ends the worker when there is no box any more. */
function rest() {
  if (jobs.size > 0 || running > 0) return;
  worker?.terminate();
  worker = undefined;
}

function release(job) {
  if (!job.url) return;
  URL.revokeObjectURL(job.url);
  job.url = undefined;
}

/** A box has come near, or has left: what has not begun for it is called off, what is there stays. */
function see(job, near) {
  job.near = near;
  if (near && job.state === 'idle') {
    job.state = 'waiting';
    waiting.push(job);
    pump();
  } else if (!near && job.state === 'waiting') {
    job.state = 'idle';
    waiting.splice(waiting.indexOf(job), 1);
  }
}

/**
 * Puts a picture of `source`, a file or an address, into a box once it is nearly seen. It fits into
 * `width` × `height` CSS pixels. The answer is the number to call `hide` with.
 */
export function show(box, source, width, height, withCredentials) {
  const id = ++numbers;
  const density = Math.min(3, Math.max(1, globalThis.devicePixelRatio || 1));
  const job = {
    id,
    box,
    source,
    width: Math.round(width * density),
    height: Math.round(height * density),
    density,
    credentials: withCredentials ? 'include' : 'same-origin',
    state: 'idle',
    near: false,
    url: undefined,
  };
  jobs.set(id, job);
  // Room for it; by script, since a strict policy ignores style attributes.
  const style = box.closest('.hoist-uploader')?.style;
  style?.setProperty('--_picture-width', `${width}px`);
  style?.setProperty('--_picture-height', `${height}px`);
  if (typeof IntersectionObserver === 'undefined') {
    see(job, true);
    return id;
  }
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const seen = jobs.get(byBox.get(target));
        if (seen) see(seen, isIntersecting);
      }
    },
    // The second is for the list's own scrolling; a browser that does not know it begins when a box is seen.
    { rootMargin: NEAR, scrollMargin: NEAR },
  );
  byBox.set(box, id);
  observer.observe(box);
  return id;
}

/** The box is gone, or wants another picture: calls off what is under way and gives back what it held. */
export function hide(id) {
  const job = jobs.get(id);
  if (!job) return;
  jobs.delete(id);
  see(job, false);
  if (byBox.get(job.box) === id) observer?.unobserve(job.box);
  if (job.state !== 'running') release(job);
  job.box.querySelector('.hoist-uploader__picture')?.remove();
  job.box.classList.remove('hoist-uploader__icon--pictured');
  rest();
}
