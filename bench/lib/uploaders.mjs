// Who is measured in the browser: which server, which page on it, and what then lies on the disk.

import { bundle, plain } from './pages.mjs';

/** A page with one input and XMLHttpRequest, answered in nginx's stead. */
const onNginx = (how) => ({
  peer: 'nginx',
  input: 'input',
  page: (url) => ({ url: `${url}/bench.html`, document: plain(), settings: { how, target: '/' } }),
});

/** Uppy's Dashboard in front of a tus server; `path` is where it answers. */
const uppy = (peer, path) => ({
  peer,
  input: '.uppy-Dashboard-input',
  page: async (url, { auto = true } = {}) => ({
    url: `${url}/bench.html`,
    document: await bundle('uppy'),
    settings: { target: url + path, auto },
  }),
});

const filepond = (chunked) => ({
  peer: 'sink',
  input: 'input[type=file]',
  // Nothing is kept, so nothing can be compared.
  keepsNothing: true,
  page: async (url, { auto = true } = {}) => ({
    url: `${url}/bench.html`,
    document: await bundle('filepond'),
    settings: { target: `${url}/`, chunked, auto },
  }),
});

const hoist = {
  peer: 'hoist',
  input: '.hoist-uploader input[type=file]:not([webkitdirectory])',
  page: (url) => ({ url: `${url}/`, attach: 'hoist.js' }),
};

/**
 * `peer` of `bench/peers`, `page` to open on it, `input` to put files in. Those without a `document`
 * serve their page themselves. What is stored is compared as `parts` says: `files` by hash, whatever their names;
 * `joined`: all put together in the order of their names, which must be the sources put together.
 */
export const uploaders = {
  empty: { ...onNginx('nothing'), title: 'a page that does nothing', keepsNothing: true },
  xhr: { ...onNginx('files'), title: 'plain XHR PUTs → nginx' },
  slices: { ...onNginx('slices'), title: 'slices of 32 MiB → nginx', parts: 'joined' },
  packs: { ...onNginx('packs'), title: 'packed into 1 MiB → nginx', parts: 'joined' },
  hoist: { ...hoist, title: 'Hoist, `process`' },
  'hoist-power': { ...hoist, title: 'Hoist, `power`', options: { durability: 'power' } },
  'uppy-rustus': { ...uppy('rustus', '/files/'), title: 'Uppy → rustus' },
  'uppy-tusd-node': { ...uppy('tusd-node', '/files/'), title: 'Uppy → @tus/server' },
  copyparty: {
    title: "copyparty's page",
    peer: 'copyparty',
    input: '#file1',
    page: (url) => ({ url: `${url}/`, attach: 'copyparty.js' }),
  },
  filepond: { ...filepond(false), title: 'FilePond → a sink' },
  'filepond-chunked': { ...filepond(true), title: 'FilePond, chunked → a sink' },
};
