/** What the simulator leaves on disk. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EventSource } from '../../simulators/events.ts';
import { SimulatorError } from '../../simulators/failure.ts';
import { Manifest, type ManifestLine } from '../../simulators/manifest.ts';
import { Random } from '../../simulators/random.ts';
import { type SimState, StateFile } from '../../simulators/state.ts';
import { seedWorld } from '../../simulators/world.ts';

let dir = '';
before(() => (dir = mkdtempSync(join(tmpdir(), 'simulators-'))));
after(() => rmSync(dir, { recursive: true, force: true }));

const source = new EventSource(new Random('manifest'), seedWorld(new Random('manifest'), 0));
const lines = (path: string): ManifestLine[] =>
  readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ManifestLine); // prettier-ignore

test('a line per event, appended by the next life', async () => {
  const path = join(dir, 'new', 'manifest.ndjson');
  const events = Array.from({ length: 3_000 }, (_, i) => source.next(i * 1_000, 1e12));
  events.push({ ...source.next(3e6, 1e12), labels: ['brute_force'] });
  for (const part of [events.slice(0, 1_000), events.slice(1_000)]) {
    const manifest = new Manifest(path);
    for (const event of part) manifest.event(event);
    await manifest.close();
  }
  const wanted = events.map(({ base: _base, body: _body, ...told }) => told);
  assert.deepEqual(lines(path), wanted);
});

test('keeps within its bytes: the older half goes', async () => {
  const path = join(dir, 'rotated', 'manifest.ndjson');
  const manifest = new Manifest(path, 10_000);
  const ids = Array.from({ length: 500 }, (_, i) => {
    const event = source.next(i, 1e12);
    manifest.event(event);
    return event.id;
  });
  await manifest.close();
  assert.deepEqual(readdirSync(join(dir, 'rotated')).sort(), ['manifest.ndjson', 'manifest.ndjson.1']);
  const kept = [...lines(`${path}.1`), ...lines(path)].map((line) => line.id);
  assert.deepEqual(kept, ids.slice(-kept.length));
  assert.ok(readFileSync(path).length <= 10_000 && readFileSync(`${path}.1`).length <= 10_000);
});

test('says when it cannot write', async () => {
  writeFileSync(join(dir, 'file'), '');
  assert.throws(() => new Manifest(join(dir, 'file', 'manifest.ndjson')));
});

test('the state is read as it was written; anything else is refused by name', () => {
  const path = join(dir, 'state', 'state.json');
  const file = new StateFile(path);
  assert.equal(file.read(), undefined);
  const next = { user: 2, item: 3, purchase: 4 };
  const state: SimState = {
    version: 1,
    seconds: 3,
    start: 1,
    life: 2,
    base: 3,
    next,
    events: 5,
    changes: 6,
    done: false,
  };
  file.write(state);
  assert.deepEqual(file.read(), state);
  for (const text of ['', '{"version":1', '[]', 'null', '{"version":2}']) {
    writeFileSync(path, text);
    assert.throws(
      () => file.read(),
      (error) =>
        error instanceof SimulatorError && error.code === 'SLC_CONFIG_SIMULATOR_STATE' && error.message.includes(path),
    );
  }
});
