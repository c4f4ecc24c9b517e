import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { formatCounts, runTests } from '../../dev/tests/run-tests.ts';

const FILES = {
  'mixed.test.mjs': `
    import assert from 'node:assert/strict';
    import { describe, test } from 'node:test';
    describe('a suite', () => {
      test('holds', () => {});
      test('does not hold', () => assert.equal(41, 42));
      test('is left out', { skip: 'for a reason' }, () => {});
    });`,
  'broken.test.mjs': `throw new Error('does not load');`,
  'empty.test.mjs': '',
};

test('a failed test, a file that does not load and one without tests are each told with the reason, at the end', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-run-tests-'));
  t.after(() => rm(root, { recursive: true }));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(root, name), text);
  // node:test runs nothing within a run.
  delete process.env['NODE_TEST_CONTEXT'];
  const report = new PassThrough();
  report.resume();
  const files = Object.keys(FILES).map((name) => join(root, name));
  const counts = await runTests(files, { root, concurrency: 1, timeoutMs: 60_000, report });
  assert.deepEqual({ ...counts, failures: counts.failures.length }, { passed: 1, failed: 3, skipped: 1, failures: 3 });
  const text = formatCounts(counts);
  for (const part of [
    /✖ mixed\.test\.mjs:\d+ does not hold\n[^]*41 !== 42/,
    /✖ broken\.test\.mjs/,
    /empty\.test\.mjs has no tests/,
  ]) {
    assert.match(text, part);
  }
  assert.equal(text.split('\n').at(-1), '1 passed, 3 failed, 1 skipped');
});
