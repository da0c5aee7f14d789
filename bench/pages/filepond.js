// FilePond as its documentation sets it up. `bench.target` takes its requests, `bench.chunked` says
// whether it cuts files, `bench.auto` whether it sends by itself.

import * as FilePond from 'filepond';
import 'filepond/dist/filepond.min.css';

let done = 0;
const pond = FilePond.create(document.querySelector('#app'), {
  allowMultiple: true,
  instantUpload: bench.auto,
  server: bench.target,
  chunkUploads: bench.chunked,
  // Its default of two is below what a browser can do.
  maxParallelUploads: 6,
  onprocessfile: (error) => {
    if (error) bench.end(`${error.type}: ${error.body}`);
    else if (++done === bench.count) bench.end();
  },
  oninit: () => bench.isReady(),
});
bench.listed = () => pond.getFiles().length;
