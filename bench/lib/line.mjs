// A line between a browser and a server: two network namespaces of this machine, a pair of virtual cards
// between them that `tc tbf` slows down, and the distance by netem, or by `delay` where the kernel has none.
//
// Nothing of it can leave the machine: the namespaces have no other card. The delay stands on the browser's
// side: the browser speaks to it over loopback, it to the server over the slow pair.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort, start } from './server.mjs';

const NEAR = 'hoist-line-near';
const FAR = 'hoist-line-far';
/** Of the block that is set aside for measuring devices (RFC 2544). */
const [NEAR_ADDR, FAR_ADDR] = ['198.18.0.1', '198.18.0.2'];
const delayProgram = join(import.meta.dirname, '../../target/release/delay');

const run = (...words) => execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
const tries = (...words) => {
  try {
    run(...words);
    return true;
  } catch {
    return false;
  }
};

/** What a program is started with to run on one side. */
const inside = (name) => ['ip', 'netns', 'exec', name];

/** Ethernet, IP and TCP with time stamps around each full packet; TLS around each 16 KiB. */
const PAYLOAD = (1448 / 1514) * (16384 / 16406);
/** What a line of `mbit` carries of a file, in Mbit/s. */
export const payloadOf = (mbit) => mbit * PAYLOAD;

/**
 * Makes a line of `mbit` Mbit/s and `ms` milliseconds there and back.
 *
 * `near` and `far` start programs on a side; `connect(port)` says where the browser's side reaches a port of
 * the server's; `remove` takes all away. One line at a time: its names are fixed, so that what a killed run has
 * left behind is found.
 */
export function makeLine({ mbit, ms }) {
  if (process.getuid() !== 0) throw new Error('only root can make network namespaces: run this job as root');
  remove();
  const isNetem = (() => {
    try {
      return build(mbit, ms);
    } catch (error) {
      remove();
      throw error;
    }
  })();
  const most = bytesUnderWay(mbit, ms);
  const proxies = [];
  return {
    near: inside(NEAR),
    far: inside(FAR),
    farAddr: FAR_ADDR,
    delayBy: isNetem ? 'netem' : 'a proxy of ours',
    async connect(port) {
      if (isNetem) return `${FAR_ADDR}:${port}`;
      const own = await freePort();
      const args = [`127.0.0.1:${own}`, `${FAR_ADDR}:${port}`, ms / 2, most];
      proxies.push(await start(delayProgram, args, { port: own, inside: inside(NEAR) }));
      return `127.0.0.1:${own}`;
    },
    async remove() {
      for (const proxy of proxies) await proxy.stop();
      remove();
    },
  };
}

/** As much as fills the line twice, as TCP's own buffers grow to; no connection works with less than 256 KiB. */
const bytesUnderWay = (mbit, ms) => Math.max(256 << 10, Math.ceil((2 * mbit * 1e6 * ms) / 1000 / 8));

function remove() {
  // The cards go with them.
  for (const name of [NEAR, FAR]) tries('ip', 'netns', 'del', name);
}

/** Whether netem makes the distance. */
function build(mbit, ms) {
  for (const name of [NEAR, FAR]) {
    run('ip', 'netns', 'add', name);
    run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    // An address of IPv6 appears a second after its card, and Chromium breaks off what it sends over HTTP/2
    // (ERR_NETWORK_CHANGED).
    run(...inside(name), 'sh', '-c', 'for each in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > "$each"; done');
  }
  run('ip', 'link', 'add', 'hoist-near', 'netns', NEAR, 'type', 'veth', 'peer', 'name', 'hoist-far', 'netns', FAR);
  const sides = [
    [NEAR, 'hoist-near', NEAR_ADDR],
    [FAR, 'hoist-far', FAR_ADDR],
  ];
  let isNetem = true;
  for (const [name, card, addr] of sides) {
    run('ip', '-n', name, 'addr', 'add', `${addr}/30`, 'dev', card);
    run('ip', '-n', name, 'link', 'set', card, 'up');
    // A bucket of a millisecond, but of no less than one packet as TCP hands it to a card: 64 KiB.
    const bucket = Math.max(68_000, Math.ceil((mbit * 1e6) / 1000 / 8));
    const shape = ['rate', `${mbit}mbit`, 'burst', String(bucket), 'latency', '50ms'];
    run('tc', '-n', name, 'qdisc', 'add', 'dev', card, 'root', 'handle', '1:', 'tbf', ...shape);
    const distance = ['netem', 'delay', `${ms / 2}ms`, 'limit', '100000'];
    isNetem &&= tries('tc', '-n', name, 'qdisc', 'add', 'dev', card, 'parent', '1:', ...distance);
  }
  // Each namespace has these of its own. Buffers as large as a kernel lets them grow over loopback would take
  // seconds of a slow line at once.
  const most = bytesUnderWay(mbit, ms);
  const settings = { tcp_rmem: `4096 131072 ${most}`, tcp_wmem: `4096 65536 ${most}` };
  for (const name of [NEAR, FAR]) {
    const words = Object.entries(settings).map(([key, value]) => `echo ${value} > /proc/sys/net/ipv4/${key}`);
    run(...inside(name), 'sh', '-ec', words.join('; '));
  }
  return isNetem;
}
