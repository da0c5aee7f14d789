// Uppy as its documentation sets it up: the Dashboard, and tus below it. `bench.target` is the
// endpoint, `bench.auto` whether it sends by itself.

import Uppy from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import Tus from '@uppy/tus';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';

const uppy = new Uppy({ autoProceed: bench.auto })
  .use(Dashboard, { inline: true, target: '#app' })
  .use(Tus, { endpoint: bench.target });
let sent = 0;
uppy.on('complete', ({ successful, failed }) => {
  sent += successful.length;
  // It completes as often as it begins, and it may begin before the whole selection is in.
  if (failed.length > 0) bench.end(`${failed.length} failed: ${failed[0].error}`);
  else if (sent === bench.count) bench.end();
});
bench.listed = () => uppy.getFiles().length;
bench.isReady();
