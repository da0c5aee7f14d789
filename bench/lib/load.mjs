// Runs the native load client, and looks at the server meanwhile.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { roomy, usage } from './server.mjs';

const program = join(import.meta.dirname, '../../target/release/load');
const run = promisify(execFile);

/** One line of JSON of `load`. */
export async function load(server, args) {
  const { stdout } = await run('sh', roomy(program, [...args, '--addr', server.addr]), { maxBuffer: 1 << 26, timeout: 600_000 });
  return JSON.parse(stdout);
}

/** What `work` cost the server: seconds of CPU, resident bytes before it and at their peak. */
export async function watched(server, work) {
  const before = usage(server.pid);
  const result = await work();
  const after = usage(server.pid);
  return { ...result, cpu: after.cpu - before.cpu, idle: before.resident, peak: after.peak };
}
