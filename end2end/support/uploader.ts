import { expect, type Locator, type Page } from '@playwright/test';
import { until } from './server.js';

/** What a person sees of one file. */
export interface Row {
  key: string;
  /** Folder and name, composed (NFC): `a/b/c.txt`. */
  file: string;
  state: string;
  /** Of a finished row: the hash on its receipt. */
  hash: string | undefined;
}

/** The component on a page, as a person uses it. All knowledge of its markup is here. */
export class Uploader {
  readonly root: Locator;
  /** What a person clicks to choose files. */
  readonly button: Locator;
  readonly input: Locator;
  /** Where files are dropped. */
  readonly zone: Locator;
  readonly list: Locator;
  readonly rows: Locator;

  /** `within` tells one from others on the same page. */
  constructor(
    readonly page: Page,
    within = '',
  ) {
    this.root = page.locator(`${within} .hoist-uploader`);
    this.button = this.root.locator('.hoist-uploader__pick').first();
    this.input = this.root.locator('input[type=file]:not([webkitdirectory])');
    this.zone = this.root.locator('.hoist-uploader__drop');
    this.list = this.root.locator('.hoist-uploader__list');
    this.rows = this.root.locator('[data-key][data-state]');
  }

  /** The page has taken over from the HTML: what is clicked from now on is handled by it. */
  async ready(): Promise<this> {
    await expect(this.root).toHaveAttribute('data-hydrated', '');
    return this;
  }

  /** Chooses files in the dialog, and waits until the page has begun with them. */
  async pick(paths: string | string[]): Promise<void> {
    const begun = await this.begins();
    await this.input.setInputFiles(paths);
    await begun();
  }

  /** Drops files and folders from the machine on the page, as the desktop does, and waits until the page has begun with them. */
  async drop(paths: string[], on = this.zone): Promise<void> {
    const begun = await this.begins();
    await this.drag(paths, on, 'dragEnter', 'dragOver', 'drop');
    await begun();
  }

  /** Drags files over the middle of something, in these steps. */
  async drag(paths: string[], on: Locator, ...steps: ('dragEnter' | 'dragOver' | 'drop')[]): Promise<void> {
    const box = await on.boundingBox();
    if (!box) throw new Error('there is nothing to drag over');
    const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    const session = await this.page.context().newCDPSession(this.page);
    for (const type of steps) await session.send('Input.dispatchDragEvent', { type, ...at, data });
    await session.detach();
  }

  /**
   * Looks from now on for the page having something to do; call the answer to wait for it. Without
   * that, *nothing to do* could be read before anything has begun.
   */
  private async begins(): Promise<() => Promise<void>> {
    const watch = await this.root.evaluateHandle((root) => {
      const isBusy = (): boolean => root.getAttribute('data-unsettled') !== '0';
      return {
        begun: new Promise<void>((done) => {
          if (isBusy()) done();
          const observer = new MutationObserver(() => {
            if (!isBusy()) return;
            observer.disconnect();
            done();
          });
          observer.observe(root, { attributes: true, attributeFilter: ['data-unsettled'] });
        }),
      };
    });
    return () => watch.evaluate(({ begun }) => begun);
  }

  /** The row of a file, by its name alone; it must be in view. */
  row(name: string): Locator {
    const exactly = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
    return this.rows.filter({ has: this.page.locator('.hoist-uploader__name', { hasText: exactly }) });
  }

  /** The rows that are in the document now. */
  async shown(): Promise<Row[]> {
    return this.rows.evaluateAll((rows) =>
      rows.map((row) => {
        const text = (selector: string): string => row.querySelector(selector)?.textContent?.trim() ?? '';
        const folder = text('.hoist-uploader__path').replace(/\/$/, '');
        const name = text('.hoist-uploader__name');
        return {
          key: row.getAttribute('data-key') ?? '',
          file: (folder ? `${folder}/${name}` : name).normalize('NFC'),
          state: row.getAttribute('data-state') ?? '',
          hash: row.querySelector('[data-hash]')?.getAttribute('data-hash') ?? undefined,
        };
      }),
    );
  }

  /** All rows, in order, gathered by scrolling from top to bottom. */
  async all(): Promise<Row[]> {
    const seen = new Map<string, Row>();
    for (let top = 0; ; ) {
      const { height, end } = await this.scroll(top);
      for (const row of await this.shown()) seen.set(row.key, row);
      if (end) return [...seen.values()];
      top += Math.floor(height / 2);
    }
  }

  /** Scrolls the list, and waits until the rows for that place are drawn. */
  async scroll(top: number): Promise<{ height: number; end: boolean }> {
    return this.list.evaluate(async (list, to) => {
      list.scrollTop = to;
      // The scroll event comes with the next frame, the rows with the one after it.
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
      return { height: list.clientHeight, end: list.scrollTop + list.clientHeight >= list.scrollHeight - 1 };
    }, top);
  }

  /** Waits until nothing more happens by itself. */
  async settled(withinMs: number): Promise<void> {
    await until('all files are settled', async () => (await this.root.getAttribute('data-unsettled')) === '0', withinMs);
  }
}
