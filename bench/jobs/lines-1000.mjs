import { lines } from '../lib/lines.mjs';

export default lines({ mbit: 1_000, size: 768 << 20 });
