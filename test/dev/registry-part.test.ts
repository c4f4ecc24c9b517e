/** The registry's port is free when it is chosen, and somebody else's when the registry listens: a program in its place plays that. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { registryPart } from '../../dev/supervisor/registry-part.ts';

const DEADLINE_MS = 20_000;

/** The first one says its port, waits until that is taken and ends; the next one answers. */
const PROGRAM = `
const { existsSync, writeFileSync } = require('node:fs');
const port = Number(process.env.SLUICE_REGISTRY_PORT);
const [wished, taken] = process.argv.slice(1);
if (existsSync(wished)) require('node:http').createServer((_, reply) => reply.end('[]')).listen(port, '127.0.0.1');
else {
  writeFileSync(wished, String(port));
  setInterval(() => existsSync(taken) && process.exit(1), 10);
}`;

const listening = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

test('a port that somebody else has taken meanwhile is given up for another one', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice registry-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const wished = path.join(folder, 'wished');
  const taken = path.join(folder, 'taken');
  const kafka = await listening(0);
  t.after(() => kafka.close());
  const kafkaPort = (kafka.address() as { port: number }).port;
  const part = registryPart([process.execPath, '-e', PROGRAM, wished, taken], `127.0.0.1:${kafkaPort}`);
  const starting = part.start({
    dataDir: path.join(folder, 'data'),
    logFile: path.join(folder, 'registry.log'),
    cacheDir: folder,
    diskBytes: 1,
    ports: {},
    progress: () => undefined,
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  while (!existsSync(wished)) await sleep(10);
  await sleep(50);
  const port = Number(await readFile(wished, 'utf8'));
  const other = await listening(port);
  t.after(() => other.close());
  await writeFile(taken, '');
  const running = await starting;
  t.after(() => running.stop(1_000));
  assert.notEqual(running.ports['http'], port);
});
