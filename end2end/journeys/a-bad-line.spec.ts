import { MiB, writeRandomFile } from '../support/files.js';
import { expectEqualOnDisk, expectNothingSentTwice } from '../support/expectations.js';
import { expect, test } from '../support/journey.js';
import { until } from '../support/server.js';

for (const how of ['sockets', 'requests']) {
  test(`everything arrives over a line that cuts, stalls and swallows, and nothing is sent again but what broke: ${how}`, async ({ scratch, server, proxied, visit }) => {
    const each = 20;
    const sizes = [384 * MiB, 40 * MiB + 12_345, 70_000, 1];
    const picked = sizes.map((size, i) => writeRandomFile(scratch.path('source', `file ${i}.bin`), size, `bad line ${i}`));
    const size = sizes.reduce((sum, one) => sum + one, 0);

    const proxy = await proxied();
    proxy.refusesSockets = how === 'requests';
    const plague = (): void => proxy.plague(each, 0.9 * (size - proxy.passedBytes), 'bad line', how === 'sockets');
    if (how === 'requests') plague();
    const { uploader } = await visit(proxy.url, { linesMayBreak: true });
    await uploader.ready();
    await uploader.pick(picked);
    if (how === 'sockets') {
      // Of a line that breaks from the beginning sockets may see nothing: what is sent again goes in requests.
      await until('sockets carry it', () => proxy.carried > 3);
      plague();
    }
    await uploader.settled(9 * 60_000);

    await expectEqualOnDisk(server, picked);
    expect(proxy.struck).toEqual({ cut: each, stall: each, blackHole: each });
    expectNothingSentTwice(await server.receivedBytes(), size, proxy);
    if (how === 'requests') expect(proxy.carried).toBe(0);
  });
}
