import { KiB, MiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';
import { seenOnTheWire, watchWire } from '../support/wire.js';

for (const [setting, chunk] of [
  ['64KiB', 64 * KiB],
  ['2MiB', 2 * MiB],
] as const) {
  test.describe(`with chunks of ${setting}`, () => {
    test.use({ serverEnv: { HOIST_CHUNK_SIZE: setting } });

    test('files travel in chunks of the size that the server was started with', async ({ scratch, server, visit, browser }) => {
      const context = await browser.newContext();
      await watchWire(context);
      const { page, uploader } = await visit(server.url, { context });
      await uploader.ready();
      const size = 5 * MiB + 321;
      const path = writeRandomFile(scratch.path('some.bin'), size, setting);
      // Small enough to be read with others, and yet more than one of the smallest chunks.
      const few = 150 * KiB;
      const small = writeRandomFile(scratch.path('small.bin'), few, `small ${setting}`);
      await uploader.pick([path, small]);
      await uploader.settled(30_000);
      await expectEqualOnDisk(server, [path, small]);

      const cut = (size: number): number[] => Array.from({ length: Math.ceil(size / chunk) }, (_, i) => Math.min(chunk, size - i * chunk));
      const wanted = [...cut(size), ...cut(few)];
      const lengths = await until('all manifests are read', async () => {
        const { lengths } = await seenOnTheWire(page);
        return lengths.length >= wanted.length && lengths;
      });
      const sorted = (numbers: number[]): number[] => [...numbers].sort((a, b) => b - a);
      expect(sorted(lengths)).toEqual(sorted(wanted));
      await context.close();
    });
  });
}
