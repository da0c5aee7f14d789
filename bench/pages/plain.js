// What a page can do with nothing but XMLHttpRequest: the measure for all others.
//
// `bench.how` says what one request carries: a file, a slice, or a pack of small files; or that
// nothing is sent at all.

const SLICE = 32 << 20;
const PACK = 1 << 20;
/** As many as a browser opens to one server. */
const AT_ONCE = 6;

/** What each request is called and carries. */
const requests = {
  *files(files) {
    for (const file of files) yield [file.name, () => file];
  },
  *slices(files) {
    for (const file of files) {
      for (let at = 0, part = 0; at < file.size || part === 0; at += SLICE, part += 1) {
        yield [`${file.name}.${String(part).padStart(6, '0')}`, () => file.slice(at, Math.min(at + SLICE, file.size))];
      }
    }
  },
  *packs(files) {
    let pack = [];
    let size = 0;
    let number = 0;
    const name = () => `pack.${String(number++).padStart(6, '0')}`;
    for (const file of files) {
      if (pack.length > 0 && size + file.size > PACK) {
        const full = pack;
        yield [name(), () => new Blob(full)];
        [pack, size] = [[], 0];
      }
      pack.push(file);
      size += file.size;
    }
    const rest = pack;
    if (rest.length > 0) yield [name(), () => new Blob(rest)];
  },
};

function put(name, body) {
  return new Promise((done, fail) => {
    const xhr = new XMLHttpRequest();
    xhr.open('PUT', bench.target + encodeURIComponent(name));
    xhr.onload = () => (xhr.status >= 200 && xhr.status < 300 ? done() : fail(new Error(`status ${xhr.status}`)));
    xhr.onerror = () => fail(new Error('no answer'));
    xhr.send(body);
  });
}

async function send(files) {
  const rest = requests[bench.how](files);
  const line = async () => {
    for (const [name, body] of rest) await put(name, body());
  };
  // All lines draw from the same generator. `for of` closes one that it leaves, so not by `break`.
  await Promise.all(Array.from({ length: AT_ONCE }, line));
}

const input = document.querySelector('input');
input.addEventListener('change', () => {
  if (bench.how === 'nothing') return bench.end();
  send(input.files).then(() => bench.end(), bench.end);
});
bench.isReady();
