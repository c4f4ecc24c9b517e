import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '#topology';
import { durationOf, maxSkew, persistentState, standbyCount } from '../../bin/environment.ts';

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

test('state is above a file where a directory is given, with a budget that is one', (t) => {
  const names = ['SLUICE_STATE', 'SLUICE_STATE_DIR', 'SLUICE_STATE_BUDGET'];
  const before = names.map((name) => process.env[name]);
  const set = (...values: (string | undefined)[]): void => {
    for (const [i, name] of names.entries()) {
      const value = values[i];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  t.after(() => set(...before));
  set();
  assert.equal(persistentState(), undefined);
  set(undefined, '/state');
  assert.deepEqual(persistentState(), { directory: '/state' });
  set('persistent', '/state', '1.5GB');
  assert.deepEqual(persistentState(), { directory: '/state', budgetBytes: 1.5e9 });
  set('memory', '/state');
  assert.equal(persistentState(), undefined);
  for (const wrong of [
    ['disk', '/state'],
    ['persistent'],
    ['persistent', '/state', '5MB'],
    ['persistent', '/state', 'x'],
  ]) {
    set(...wrong);
    assert.throws(persistentState, ConfigError, wrong.join());
  }
});

test('standby copies: what the option says, else the environment, else none', (t) => {
  const name = 'SLUICE_STANDBY';
  const before = process.env[name];
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
  delete process.env[name];
  assert.equal(standbyCount(undefined), 0);
  process.env[name] = '2';
  assert.equal(standbyCount(undefined), 2);
  assert.equal(standbyCount('1'), 1);
  for (const wrong of ['-1', '1.5', 'x', '6']) {
    process.env[name] = wrong;
    assert.throws(() => standbyCount(undefined), ConfigError, wrong);
    assert.throws(() => standbyCount(wrong), ConfigError, wrong);
  }
});

test('how far partitions may be apart: what the option says, else the environment, else a day', (t) => {
  const name = 'SLUICE_MAX_SKEW';
  const before = process.env[name];
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
  delete process.env[name];
  assert.equal(maxSkew(), 86_400_000);
  process.env[name] = '10m';
  assert.equal(maxSkew(), 600_000);
  assert.equal(maxSkew('1h'), 3_600_000);
  assert.equal(maxSkew('off'), Infinity);
  for (const wrong of ['-1', '1.5h', 'x', 'none']) {
    process.env[name] = wrong;
    assert.throws(() => maxSkew(), ConfigError, wrong);
    assert.throws(() => maxSkew(wrong), ConfigError, wrong);
  }
});
