import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastLines, rotateLogs } from '../../dev/supervisor/log-rotation.ts';

test('a log at its limit is copied and emptied while its writer goes on; a smaller one stays', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice logs '));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [large, small] = [openSync(join(dir, 'kafka.log'), 'a'), openSync(join(dir, 'run.log'), 'a')];
  writeSync(large, `${'x'.repeat(99)}\n`);
  writeSync(small, 'short\n');
  assert.deepEqual(rotateLogs(dir, 100), ['kafka.log']);
  writeSync(large, 'after\n');
  assert.equal(readFileSync(join(dir, 'kafka.log'), 'utf8'), 'after\n');
  assert.equal(readFileSync(join(dir, 'kafka.log.1'), 'utf8'), `${'x'.repeat(99)}\n`);
  assert.equal(readFileSync(join(dir, 'run.log'), 'utf8'), 'short\n');
  assert.deepEqual(rotateLogs(dir, 100), []);
  for (const descriptor of [large, small]) closeSync(descriptor);
});

test('the last lines of a log, also of one that was emptied since', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice logs '));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'a.log');
  assert.deepEqual(lastLines(file), []);
  const log = openSync(file, 'a');
  writeSync(log, 'one\ntwo\nthree\n');
  assert.deepEqual(lastLines(file, 2), ['two', 'three']);
  assert.deepEqual(lastLines(file, 20, 4), ['two', 'three']);
  assert.deepEqual(lastLines(file, 20, 1_000), ['one', 'two', 'three']);
  closeSync(log);
});
