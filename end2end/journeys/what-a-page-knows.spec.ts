import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';

interface PageScript {
  isWebKit(agent: string): boolean;
  isLoopback(host: string): boolean;
}

const script = readFileSync(new URL('../../crates/uploader/js/page.js', import.meta.url), 'utf8');
const { isWebKit, isLoopback } = (await import(`data:text/javascript,${encodeURIComponent(script)}`)) as PageScript;

// What hangs on these is seen only in browsers that do not run here, and with a network that is away.

test('every browser on WebKit is told from those that only say so', () => {
  const agents: [string, boolean][] = [
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', true],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1', true],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', false],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', false],
  ];
  for (const [agent, is] of agents) expect(isWebKit(agent), agent).toBe(is);
});

test('only this machine is loopback', () => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.8.8.8', '[::1]']) expect(isLoopback(host), host).toBe(true);
  for (const host of ['example.com', 'localhost.example', '127.example.com', '10.127.0.1', '[::2]', '']) expect(isLoopback(host), host).toBe(false);
});
