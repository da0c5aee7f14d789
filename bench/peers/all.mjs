import * as copyparty from './copyparty.mjs';
import * as hoist from './hoist.mjs';
import * as nginx from './nginx.mjs';
import * as rustus from './rustus.mjs';
import * as sink from './sink.mjs';
import * as tusdNode from './tusd-node.mjs';

export const peers = { hoist, nginx, rustus, 'tusd-node': tusdNode, copyparty, sink };
