import { lines } from '../lib/lines.mjs';

export default lines({ mbit: 20, size: 20 << 20 });
