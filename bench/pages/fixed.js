// The least that can send to Hoist: one file in packs of a fixed size, so many at once. No checksums, no wasm,
// nothing learned on the way. What the best of these reaches is what the self-tuning is held against.
//
// `bench.pack` says how many bytes a pack has, `bench.atOnce` how many are under way.

const CHUNK = 1 << 20;
const SENDER = 'bench-fixed';

async function ask(path, body) {
  const answer = await fetch(`/hoist${path}`, { method: body ? 'POST' : 'GET', headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function sendPack(file, upload, from, to) {
  const chunks = [];
  for (let at = from; at < to; at += CHUNK) chunks.push({ upload, index: at / CHUNK, length: Math.min(CHUNK, to - at) });
  const manifest = new TextEncoder().encode(JSON.stringify({ sender: SENDER, attempt: 0, chunks }));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, manifest.length);
  return new Promise((done, fail) => {
    const xhr = new XMLHttpRequest();
    xhr.open('POST', '/hoist/packs');
    xhr.setRequestHeader('content-type', 'application/octet-stream');
    xhr.responseType = 'json';
    xhr.onload = () => {
      const isKept = xhr.status === 200 && xhr.response.results.every(({ result }) => result === 'acknowledged');
      if (isKept) done();
      else fail(new Error(`status ${xhr.status}: ${JSON.stringify(xhr.response)}`));
    };
    xhr.onerror = () => fail(new Error('no answer'));
    xhr.send(new Blob([length, manifest, file.slice(from, to)]));
  });
}

async function send(file, { packSize }) {
  const { name, size, lastModified } = file;
  const { answers } = await ask('/uploads', { sender: SENDER, files: [{ name, size, lastModified, chunkSize: CHUNK }] });
  const { id, chunkSize } = answers[0];
  if (chunkSize !== CHUNK) throw new Error(`chunks of ${chunkSize}`);
  // The manifest counts, too.
  const pack = Math.min(bench.pack, Math.floor((packSize - (64 << 10)) / CHUNK) * CHUNK);
  let next = 0;
  const line = async () => {
    while (next < size) {
      const from = next;
      next = Math.min(size, from + pack);
      await sendPack(file, id, from, next);
    }
  };
  await Promise.all(Array.from({ length: bench.atOnce }, line));
}

const input = document.querySelector('input');
// A page has met its server before anybody picks a file.
ask('/limits').then((limits) => {
  input.addEventListener('change', () => send(input.files[0], limits).then(() => bench.end(), bench.end));
  bench.isReady();
}, bench.end);
