/** What people see: tables, colours, names that may have been meant; and where the installation is found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SluiceError } from '#topology';
import { identityOf } from '../../../dev/parts/identity.ts';
import { findInstallation } from '../../../dev/inspect/installation.ts';
import { nearestNames, unknownName } from '../../../dev/inspect/nearest.ts';
import { bytesText, iso, paintFor, textTable, timeText } from '../../../dev/inspect/text-table.ts';

const COLUMNS = [{ title: 'TOPIC' }, { title: 'RECORDS', right: true }];

describe('tables', () => {
  test('columns are aligned, with colours as without', () => {
    const plain = paintFor({ isTTY: false }, {});
    assert.deepEqual(textTable(COLUMNS, [['silver.users', '1,234'], ['a']], plain), [
      'TOPIC         RECORDS',
      'silver.users    1,234',
      'a',
    ]);
    const coloured = paintFor({ isTTY: true }, {});
    const lines = textTable(COLUMNS, [[coloured.red('a'), '1']], coloured);
    assert.equal(lines[1], '\u001B[31ma\u001B[39m            1');
  });

  test('no colours without a terminal, nor with NO_COLOR', () => {
    assert.equal(paintFor({ isTTY: true }, { NO_COLOR: '1' }).red('x'), 'x');
    assert.equal(paintFor({}, {}).red('x'), 'x');
    assert.equal(paintFor({ isTTY: true }, { NO_COLOR: '' }).red('x'), '\u001B[31mx\u001B[39m');
  });

  test('sizes and times', () => {
    assert.deepEqual([0, 999, 1_000, 34_400_000, 999_900].map(bytesText), [
      '0 B',
      '999 B',
      '1.0 kB',
      '34 MB',
      '1.0 MB',
    ]);
    assert.equal(timeText(0), '1970-01-01 00:00:00.000');
    assert.deepEqual([timeText(-Infinity), timeText(undefined), iso(Number.NaN), iso(null)], ['-', '-', null, null]);
  });
});

describe('names', () => {
  const names = ['silver.users', 'silver.items', 'gold.sales_perf_24h', 'bronze.shop.users'];

  test('the nearest come first', () => {
    assert.deepEqual(nearestNames('silver.user', names), ['silver.users', 'silver.items']);
    assert.deepEqual(nearestNames('users', names), ['silver.users', 'bronze.shop.users']);
    assert.deepEqual(nearestNames('Gold.sales_pref_24h', names), ['gold.sales_perf_24h']);
    assert.deepEqual(nearestNames('zzzzzz', names), []);
  });

  test('an error says what was meant, or what there is', () => {
    assert.match(
      unknownName('SLC_INSPECT_TOPIC', 'topic', 'silver.item', names).hint ?? '',
      /did you mean silver\.items/,
    );
    assert.match(unknownName('SLC_INSPECT_TOPIC', 'topic', 'q', ['a.b']).hint ?? '', /there are: a\.b/);
  });
});

describe('the installation', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-inspect-'));
  after(() => rmSync(dir, { recursive: true }));

  function runs(pid: object | undefined): void {
    const one = { kind: 'part', command: 'x', since: '', name: 'postgres', address: 'postgres://u:secret@h:1/d' };
    const state = {
      version: 1,
      processes: pid === undefined ? [] : [{ ...one, ...pid }],
      addresses: { SLUICE_KAFKA: '127.0.0.1:9', SLUICE_POSTGRES: 'postgres://u:***@h:1/d', SLUICE_LAKE: '/lake' },
      ports: {},
    };
    writeFileSync(join(dir, 'run.json'), JSON.stringify(state));
  }

  test('the environment wins', () => {
    runs(identityOf(process.pid));
    const found = findInstallation({ SLUICE_KAFKA: 'k:1', SLUICE_REGISTRY: '' }, { long: dir });
    assert.deepEqual(found, {
      kafka: 'k:1',
      registry: undefined,
      postgres: undefined,
      lake: undefined,
      from: 'the environment',
    });
  });

  test('else what npm start runs, with the password that only the process entry has', () => {
    runs(identityOf(process.pid));
    const found = findInstallation({}, { none: join(dir, 'none'), long: dir });
    assert.equal(found.kafka, '127.0.0.1:9');
    assert.equal(found.postgres, 'postgres://u:secret@h:1/d');
    assert.equal(found.from, dir);
  });

  test('nothing runs: it says what to do', () => {
    runs(undefined);
    assert.throws(
      () => findInstallation({}, { long: dir }),
      (error) =>
        error instanceof SluiceError && error.code === 'SLC_INSPECT_NOTHING_RUNS' && /npm start/.test(error.hint ?? ''),
    );
  });
});
