import { GiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk, expectNothingSentTwice } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

test('a server killed in the middle of 1 GiB is started again, and the upload continues by itself', async ({ scratch, server, proxied, visit }) => {
  const film = writeRandomFile(scratch.path('film.mkv'), GiB, 'killed');
  const proxy = await proxied(); // only counts
  const { uploader } = await visit(proxy.url, { linesMayBreak: true });
  await uploader.ready();
  await uploader.pick(film);

  const before = await until('two fifths have arrived', async () => {
    const received = await server.receivedBytes();
    return received > 0.4 * GiB && received;
  });
  await server.kill();
  expect(proxy.carried, 'its packs went through sockets').toBeGreaterThan(3);
  expect(server.published(), 'it was killed in the middle').toEqual([]);
  const passedBefore = proxy.passedBytes;
  expect(passedBefore).toBeLessThan(0.95 * GiB);
  expect(passedBefore).toBeGreaterThanOrEqual(before);

  await server.restart();
  await uploader.settled(180_000);
  await expectEqualOnDisk(server, [film]);
  await expect(uploader.row('film.mkv')).toHaveAttribute('data-state', 'done');
  // Its count starts anew with it; what it had received before, the proxy knows.
  expectNothingSentTwice((await server.receivedBytes()) + passedBefore, GiB, proxy);
});
