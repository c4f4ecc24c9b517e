import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, type RoleView, Screen, viewLines } from '../../dev/supervisor/live-view.ts';
import { parseMessage } from '../../dev/supervisor/messages.ts';

const roleOf = (name: string, message: object): RoleView => {
  const parsed = parseMessage(message);
  assert.equal(parsed?.type, 'stats');
  return { name, state: 'ready', restarts: 0, stats: parsed.stats };
};

test('the view has records, lag and watermark per stage, and rows per sink', () => {
  const watermark = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const lines = viewLines(
    [
      roleOf('run', {
        type: 'stats',
        stages: [
          { name: 'silver.users', records: 12_345, lagMs: 4_200, watermark },
          { name: 'gold.sales', records: 0, lagMs: null, watermark: null, heldBackBy: 'cdc.shop' },
        ],
      }),
      roleOf('sinks', { type: 'stats', sinks: [{ name: 'warehouse', rows: 99, waitingFor: 'PostgreSQL' }] }),
      roleOf('simulate', { type: 'stats', events: 1_000, changes: 20 }),
      { name: 'sources', state: 'waiting', restarts: 2, stats: {} },
    ],
    65_000,
  );
  assert.deepEqual(
    lines.map((line) => line.trim().replace(/ +/g, ' ')),
    [
      'up 1 m 05 s, simulated 1,000 events, 20 changes',
      'STAGE RECORDS LAG WATERMARK',
      'silver.users 12,345 4.2 s 2026-01-02 03:04:05.006',
      'gold.sales 0 - held back by cdc.shop',
      'SINK ROWS',
      'warehouse 99 waits: PostgreSQL',
      'sources: waiting',
    ],
  );
});

test('a message that is none, or of another version, ends nothing', () => {
  for (const message of [undefined, null, 1, 'ready', [], {}, { type: 'other' }]) {
    assert.equal(parseMessage(message), undefined);
  }
  const odd = parseMessage({ type: 'stats', stages: [1, null, { name: 2, records: 'x', watermark: 1e300 }], sinks: 4 });
  assert.equal(odd?.type, 'stats');
  const lines = viewLines([{ name: 'run', state: 'ready', restarts: 0, stats: odd.stats }], 0);
  assert.equal(lines.length, 3);
  assert.deepEqual(parseMessage({ type: 'done' }), {
    type: 'done',
    done: { manifest: undefined, events: 0, changes: 0 },
  });
});

test('on a terminal the block is drawn in place, and lines that stay go above it', () => {
  let text = '';
  const screen = new Screen({ isTTY: true, columns: 10, write: (piece) => (text += piece) });
  screen.block(['1', 'a line that is too long']);
  screen.print('stays');
  screen.block(['2']);
  screen.release();
  screen.print('below');
  assert.equal(text, '1\na line th\n\u001B[2A\u001B[0Jstays\n2\nbelow\n');
  text = '';
  const plain = new Screen({ isTTY: false, columns: undefined, write: (piece) => (text += piece) });
  plain.block(['1', '2']);
  plain.block(['3']);
  assert.equal(text, '1\n2\n3\n');
});

test('durations as a person says them', () => {
  const texts = [950, 4_200, 185_000, 7_620_000, 273_600_000].map(durationText);
  assert.deepEqual(texts, ['950 ms', '4.2 s', '3 m 05 s', '2 h 07 m', '3 d 04 h']);
});
