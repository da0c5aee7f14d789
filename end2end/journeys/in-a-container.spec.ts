import { Container } from '../support/container.js';
import { expectEqualOnDisk } from '../support/expectations.js';
import { MiB, writeRandomFile, writeTree } from '../support/files.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

const SIZE = 600 * MiB;

test('the image, stopped and killed in the middle of an upload, goes on with it on the same volume', async ({ scratch, visit }) => {
  const photos = scratch.path('photos');
  const count = writeTree(photos, 40, 'container');
  const film = writeRandomFile(scratch.path('film.mkv'), SIZE, 'container film');
  const container = await Container.start(scratch.path('container'));
  try {
    expect((await container.inspect('{{.Config.User}}')).trim(), 'it is not root').toBe('1000:1000');
    const { uploader, page } = await visit(container.url, { linesMayBreak: true, statuses: [503] });
    await uploader.ready();
    await uploader.drop([photos, film]);
    const arrives = (bytes: number): Promise<number> =>
      until(`${bytes} bytes have arrived`, async () => {
        const received = await container.receivedBytes();
        return received > bytes && received;
      });

    const first = await arrives(0.15 * SIZE);
    const { status, took } = await container.terminate();
    expect(status, 'it ends by itself, in order').toBe(0);
    expect(took, 'within five seconds').toBeLessThan(5000);
    expect(first, 'in the middle').toBeLessThan(0.9 * SIZE);
    expect(await container.logged()).not.toContain('panicked');

    await container.restart();
    const second = await arrives(0.15 * SIZE);
    expect(first + second, 'still in the middle').toBeLessThan(0.95 * SIZE);
    await container.kill();
    await container.restart();

    await uploader.settled(180_000);
    const third = await container.receivedBytes();
    expect(third, 'the last one did not begin anew').toBeLessThan(0.85 * SIZE);
    await expectEqualOnDisk(container, [photos, film]);
    expect((await uploader.all()).filter(({ state }) => state === 'done')).toHaveLength(count + 1);
    await page.close();
  } finally {
    await container.remove();
  }
});
