import { lines } from '../lib/lines.mjs';

export default lines({ mbit: 100, size: 96 << 20 });
