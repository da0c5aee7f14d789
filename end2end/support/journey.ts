import { type BrowserContext, expect, type Page, test as base } from '@playwright/test';
import { Scratch } from './files.js';
import { FaultyProxy } from './proxy.js';
import { freePort, Server } from './server.js';
import { Uploader } from './uploader.js';

/** A page under observation: whatever it complains of fails the journey at its end. */
export class Visit {
  /** What the page or the browser complained of. */
  readonly problems: string[] = [];
  /** Addresses of all requests for wasm. */
  readonly wasmRequests: string[] = [];
  /** How many packs were sent. */
  packs = 0;
  readonly uploader: Uploader;

  constructor(
    readonly page: Page,
    private readonly linesMayBreak: boolean,
    statuses: readonly number[] = [],
  ) {
    this.uploader = new Uploader(page);
    page.on('pageerror', (error) => this.problems.push(`thrown: ${error.message}`));
    page.on('crash', () => this.problems.push('the page has crashed'));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const text = message.text();
      // Only said by the browser itself, of a connection that a journey broke on purpose.
      if (this.linesMayBreak && /^(Failed to load resource: net::ERR_|WebSocket connection to .* failed)/.test(text)) return;
      // Nor of an answer that it brought about.
      const refused = /^Failed to load resource: the server responded with a status of (\d+)/.exec(text);
      if (refused && statuses.includes(Number(refused[1]))) return;
      this.problems.push(`console ${message.type()}: ${text} (${message.location().url})`);
    });
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.endsWith('.wasm')) this.wasmRequests.push(pathname);
      if (request.method() === 'POST' && pathname.endsWith('/packs')) this.packs += 1;
    });
  }
}

interface Tools {
  scratch: Scratch;
  /** A server of this journey's own, with an empty folder. */
  server: Server;
  /** Set with `test.use`: its environment. */
  serverEnv: Record<string, string>;
  /** Starts a proxy in front of the server. */
  proxied: () => Promise<FaultyProxy>;
  /** Opens a page in a browser profile of its own, or in the one given. */
  visit: (url: string, options?: { linesMayBreak?: boolean; statuses?: number[]; context?: BrowserContext; path?: string }) => Promise<Visit>;
}

export const test = base.extend<Tools>({
  serverEnv: [{}, { option: true }],

  // eslint-disable-next-line no-empty-pattern
  scratch: async ({}, use) => {
    const scratch = new Scratch();
    await use(scratch);
    scratch.remove();
  },

  server: async ({ scratch, serverEnv }, use, info) => {
    const server = await Server.start(scratch.path('hoist'), serverEnv);
    await use(server);
    await server.kill();
    if (info.status !== info.expectedStatus) await info.attach('server.log', { body: server.logged(), contentType: 'text/plain' });
    expect(server.logged(), 'the server never panics').not.toContain('panicked');
  },

  proxied: async ({ server }, use, info) => {
    const proxies: FaultyProxy[] = [];
    await use(async () => {
      const proxy = await FaultyProxy.start(server.port, await freePort());
      proxies.push(proxy);
      return proxy;
    });
    for (const proxy of proxies) {
      await proxy.stop();
      if (info.status !== info.expectedStatus) await info.attach('packs', { body: proxy.log, contentType: 'text/plain' });
    }
  },

  visit: async ({ browser }, use) => {
    const visits: Visit[] = [];
    const contexts: BrowserContext[] = [];
    await use(async (url, { linesMayBreak = false, statuses, context, path = '/' } = {}) => {
      if (!context) {
        context = await browser.newContext();
        contexts.push(context);
      }
      const page = await context.newPage();
      const visit = new Visit(page, linesMayBreak, statuses);
      visits.push(visit);
      // Chromium says violations on the console too, but not all of them as errors.
      await page.addInitScript(() =>
        document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`)),
      );
      await page.goto(url + path);
      return visit;
    });
    for (const context of contexts) await context.close();
    expect(visits.flatMap(({ problems }) => problems)).toEqual([]);
  },
});

export { expect };
