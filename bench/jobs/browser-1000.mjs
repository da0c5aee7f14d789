import { smallFiles } from '../lib/small.mjs';

export default smallFiles({ files: 1000, isCharted: true, others: ['uppy-rustus', 'uppy-tusd-node', 'copyparty'] });
