import { smallFiles } from '../lib/small.mjs';

// Two of them take more than two minutes, so they run once.
export default smallFiles({ files: 5000, others: ['uppy-rustus', 'uppy-tusd-node', 'copyparty'], slow: ['uppy-rustus', 'uppy-tusd-node', 'copyparty'] });
