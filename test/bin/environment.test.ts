import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '#topology';
import { durationOf } from '../../bin/environment.ts';

test('a span of time from the environment', (t) => {
  const name = 'SLUICE_TEST_SPAN_OF_TIME';
  t.after(() => delete process.env[name]);
  assert.equal(durationOf(name, '8s'), 8_000);
  process.env[name] = '';
  assert.equal(durationOf(name, '8s'), 8_000);
  process.env[name] = '500ms';
  assert.equal(durationOf(name, '8s'), 500);
  for (const wrong of ['8', 's', '-1s', '1.5s', '8 s']) {
    process.env[name] = wrong;
    assert.throws(
      () => durationOf(name, '8s'),
      (error) => error instanceof ConfigError && error.message.includes(wrong) && error.message.includes(name),
    );
  }
});
