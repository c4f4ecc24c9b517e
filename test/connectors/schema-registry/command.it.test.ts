/** The role `sluice registry` as a process, on real Kafka, and our own client of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createAvroSerdes } from '../../../connectors/avro/index.ts';

const kafka = process.env['SLUICE_TEST_KAFKA'];
if (kafka === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const main = join(import.meta.dirname, '../../../bin/main.ts');
/** A process that does not end when it should fails the test, not the run. */
const LIMIT_MS = 30_000;

function start(t: TestContext, env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = fork(main, ['registry'], { env: { ...process.env, SLUICE_LOG: 'info', ...env }, silent: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => (output += String(bytes)));
  t.after(() => child.kill('SIGKILL'));
  return { child, output: () => output };
}

async function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(LIMIT_MS) })) as unknown[];
  return code;
}

test('says that it is ready, serves our serdes, ends at SIGTERM', async (t) => {
  const { child, output } = start(t, { SLUICE_KAFKA: kafka, SLUICE_REGISTRY_PORT: '0' });
  const [ready] = (await once(child, 'message', { signal: AbortSignal.timeout(LIMIT_MS) }).catch(() => {
    throw new Error(`not ready: ${output()}`);
  })) as [{ type: string; port: number }];
  assert.equal(ready.type, 'ready');
  const name = `t${randomUUID().replaceAll('-', '')}`;
  const definition = { type: 'record', name, fields: [{ name: 'n', type: 'long' }] };
  const url = `http://127.0.0.1:${ready.port}`;
  const open = () =>
    createAvroSerdes({ registryUrl: url }).open<{ n: number }>(`${name}-value`, { name, definition }, { write: true });
  const serde = await open();
  assert.deepEqual({ ...(await open()).deserialize(serde.serialize({ n: 5 })) }, { n: 5 });
  const level = (await (await fetch(`${url}/config/${name}-value`)).json()) as object;
  assert.deepEqual(level, { compatibilityLevel: 'BACKWARD_TRANSITIVE' });
  await fetch(`${url}/subjects/${name}-value`, { method: 'DELETE' });
  child.kill('SIGTERM');
  assert.equal(await ended(child), 0, output());
});

test('waits for Kafka and says so; SIGTERM ends it meanwhile', async (t) => {
  const { child, output } = start(t, { SLUICE_KAFKA: '127.0.0.1:1', SLUICE_REGISTRY_PORT: '0' });
  const until = AbortSignal.timeout(LIMIT_MS);
  while (!output().includes('waiting for Kafka')) await once(child.stdout!, 'data', { signal: until });
  child.kill('SIGTERM');
  assert.equal(await ended(child), 0, output());
});

test('a port in use, or none: refused with its code and how to mend it, without Kafka', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  for (const text of [String(port), 'x']) {
    const { child, output } = start(t, { SLUICE_KAFKA: '127.0.0.1:1', SLUICE_REGISTRY_PORT: text });
    assert.equal(await ended(child), 2, output());
    assert.match(output(), /\[SLC_REGISTRY_PORT\]\n.*to 0 for any/);
  }
});
