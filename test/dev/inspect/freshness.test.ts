/** Probes are counted in their own rows, each when a reader sees it, and one that does not come is told. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { probedTables } from '../../../bin/commands/freshness.ts';
import { type Freshness, measureFreshness, type ProbedTable, sendTo } from '../../../dev/inspect/freshness.ts';
import { topics } from '../../../processors/index.ts';

const TABLE: ProbedTable = {
  table: 'gold.counts',
  column: 'n',
  event: 'sample',
  properties: { host: 'h' },
  key: () => 'window|h',
};

/** A warehouse that has `first` events already, and takes those sent that `takes` says. */
async function measured(
  first: number,
  takes: (nth: number) => boolean,
  abortWith?: AbortController,
): Promise<{ result: Freshness; sent: Readonly<Record<string, unknown>>[] }> {
  const sent: Readonly<Record<string, unknown>>[] = [];
  let there = first;
  const [result] = await measureFreshness({
    tables: [TABLE],
    send: async (event, properties) => {
      assert.equal(event, 'sample');
      sent.push(properties);
      if (takes(sent.length)) there++;
      else abortWith?.abort();
    },
    read: async (_, keys) => new Map(there === 0 ? [] : keys.map((key) => [key, there])),
    perSecond: 50,
    seconds: 0.2,
    signal: (abortWith ?? new AbortController()).signal,
  });
  assert.ok(result !== undefined);
  return { result, sent };
}

test('every probe is sent once, says when it happened, and is seen', async () => {
  for (const first of [0, 7]) {
    const { result, sent } = await measured(first, () => true);
    assert.deepEqual([result.sent, result.seen, sent.length], [10, 10, 10]);
    assert.ok(
      (result.p50 ?? -1) >= 0 && (result.p50 ?? 0) <= (result.p99 ?? 0) && (result.p99 ?? 0) <= (result.max ?? 0),
    );
    assert.equal(new Set(sent.map(({ eventId }) => eventId)).size, 10);
    assert.ok(sent.every(({ host, occurredAt }) => host === 'h' && typeof occurredAt === 'number'));
  }
});

test('what was there before is none of its own, and what does not come is missing', async () => {
  const { result } = await measured(7, () => false, new AbortController());
  assert.equal(result.seen, 0);
  assert.ok(result.sent > 0);
  assert.deepEqual([result.p50, result.p99, result.max], [null, null, null]);
});

test('a collector that refuses ends it, with what it said', async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(401).end('{"error":"no key"}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const refused = { code: 'SLC_FRESHNESS_PROBE', message: /401 .*no key/ };
    await assert.rejects(sendTo(url, 'wrong')('sample', {}), refused);
  } finally {
    server.close();
  }
  await assert.rejects(sendTo(url, 'wrong')('sample', {}), { code: 'SLC_FRESHNESS_PROBE' });
});

test('the keys of probes are those that the stages give their rows', () => {
  const at = Date.UTC(2026, 4, 17, 10, 7, 30);
  const [registrations, load] = probedTables('x');
  assert.equal(registrations?.key(at), '2026-05-17T10:00:00.000Z|ZZ');
  assert.equal(load?.key(at), '2026-05-17T10:05:00.000Z|freshness-x');
  for (const { table, column } of probedTables('x')) {
    const topic = Object.values(topics.gold).find(({ name }) => name === table);
    assert.ok(topic !== undefined, table);
    const { fields } = topic.value.definition as { fields: readonly { name: string }[] };
    assert.ok(
      fields.some(({ name }) => name === column),
      `${table}.${column}`,
    );
  }
});
