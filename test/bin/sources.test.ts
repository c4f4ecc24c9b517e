import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

const main = join(import.meta.dirname, '../../bin/main.ts');
/** Nobody listens there. */
const NOWHERE = {
  SLUICE_KAFKA: '127.0.0.1:1',
  SLUICE_REGISTRY: 'http://127.0.0.1:1',
  SLUICE_MYSQL: 'mysql://root@127.0.0.1:1/shop',
};

interface Source {
  readonly name: string;
  readonly waitingFor?: string;
}

function sources(t: TestContext, env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = fork(main, ['sources'], { silent: true, env: { ...process.env, ...NOWHERE, ...env } });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += String(chunk)));
  return { child, output: () => output };
}

test('a port in use is refused at the start, by name', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { child, output } = sources(t, { SLUICE_COLLECTOR_PORT: String(port) });
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 2, output());
  assert.match(output(), new RegExp(`port ${port} of 127.0.0.1 for the collector is in use \\[SLC_COLLECTOR_PORT\\]`));
  assert.match(output(), /choose another with SLUICE_COLLECTOR_PORT/);
});

for (const [name, value] of [
  ['SLUICE_COLLECTOR_PORT', '99999'],
  ['SLUICE_COLLECTOR_KEYS', 'a,,b'],
  ['SLUICE_CLOCK', 'sundial'],
] as const) {
  test(`${name} that cannot be is refused`, async (t) => {
    const { child, output } = sources(t, { SLUICE_COLLECTOR_PORT: '0', [name]: value });
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 2, output());
    assert.match(output(), /SLC_CONFIG_COLLECTOR/);
    assert.match(output(), new RegExp(name));
  });
}

test('waits while all is away, says for what, and ends when told', async (t) => {
  const { child, output } = sources(t, { SLUICE_COLLECTOR_PORT: '0' });
  const waiting = await new Promise<readonly Source[]>((resolve) => {
    child.on('message', (message: { type?: string; sources?: readonly Source[] }) => {
      if (message.type === 'stats' && message.sources?.every((source) => source.waitingFor !== undefined) === true) {
        resolve(message.sources);
      }
    });
  });
  assert.deepEqual(
    waiting.map(({ name, waitingFor }) => [name, waitingFor]),
    [
      ['cdc.shop', 'Kafka'],
      ['collector', 'Kafka'],
    ],
  );
  child.kill('SIGTERM');
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0, output());
  assert.match(output(), /waiting for Kafka/);
});
