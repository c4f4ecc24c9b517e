/** Certificates are what docs/replay-certificate.schema.json says. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fastify from 'fastify';
import type { ReplayPlan } from '#topology';
import { certificateOf, codeVersion } from '../../../../dev/verify/replay/certificate.ts';
import { compareReplay } from '../../../../dev/verify/replay/compare-rows.ts';
import { differing } from '../../../../dev/verify/replay/differing-columns.ts';
import type { OutputRow } from '../../../../dev/verify/replay/output-rows.ts';
import type { TopicVerdict } from '../../../../dev/verify/replay/verify-replay.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const HOUR = 3_600_000;

const plan: ReplayPlan = {
  id: 'v2',
  app: 'shop',
  request: 'all from earliest to now',
  stages: ['gold.a'],
  epoch: '0123456789ab',
  createdAt: 5 * HOUR,
  ledgerEnd: 12n,
  names: [],
  inputs: [
    {
      topic: 'bronze.a',
      partition: 0,
      origin: true,
      start: 0n,
      startClock: -Infinity,
      before: -Infinity,
      end: 7n,
      endClock: HOUR,
    },
    {
      topic: 'bronze.a',
      partition: 1,
      origin: true,
      start: 3n,
      startClock: 9,
      before: 99,
      end: 3n,
      endClock: -Infinity,
    },
  ],
  promises: [],
  finishedAt: 6 * HOUR,
};

const row = (key: string, complete: number, value = key): OutputRow => ({
  hash: value,
  identity: `key ${key}`,
  complete,
  earliest: complete,
  at: `0@${complete}`,
  deleted: false,
  key: 'k',
});

const verdict = (rest: Partial<TopicVerdict>): TopicVerdict => ({
  stage: 'gold.a',
  topic: 'gold.a',
  replayTopic: 'gold.a.v2',
  kind: 'records',
  equal: undefined,
  notCompared: undefined,
  lower: -Infinity,
  upper: 'all',
  comparison: undefined,
  schemaIds: { live: [3], replay: [3, 4] },
  ...rest,
});

/** undefined when it is what the schema says. */
async function refusal(certificate: unknown): Promise<string | undefined> {
  const schema = JSON.parse(await readFile(join(ROOT, 'docs', 'replay-certificate.schema.json'), 'utf8')) as object;
  const app = fastify({
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
  });
  app.post('/', { schema: { body: schema } }, () => 'ok');
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/', body: certificate as object });
  await app.close();
  return statusCode === 200 ? undefined : body;
}

describe('the certificate of a replay', () => {
  test('is what its schema says, equal or not', async () => {
    const code = await codeVersion(ROOT);
    assert.match(code.lockfile ?? '', /^[0-9a-f]{64}$/);
    const comparison = compareReplay(
      [row('a', 1), row('b', 2)],
      [row('a', 1), row('b', 2, 'other')],
      { upper: 10, lower: 0 },
      'records',
    );
    const [first] = comparison.wrong;
    assert.ok(first !== undefined);
    const columns = differing(new Map([['a', 1]]), new Map<string, unknown>([['b', null]]));
    const explained = { ...comparison, wrong: [{ ...first, columns }] };
    const verdicts = [
      verdict({ equal: false, upper: HOUR, lower: 0, comparison: explained }),
      verdict({ kind: 'late', notCompared: 'the first records of it are gone', upper: -Infinity, lower: Infinity }),
    ];
    const certificate = certificateOf(plan, verdicts, code, new Date(7 * HOUR));
    assert.equal(await refusal(JSON.parse(JSON.stringify(certificate))), undefined);
    assert.equal(certificate.equal, false);
    assert.equal(certificateOf(plan, verdicts.slice(1), code, new Date()).equal, false, 'nothing was compared');
  });

  test('the schema refuses another thing', async () => {
    assert.notEqual(await refusal({ equal: true }), undefined);
  });
});

describe('rows of a replay against live', () => {
  const bounds = { upper: 10, lower: -Infinity };

  test('live may have more, but only above the bound', () => {
    const live = [row('a', 1), row('b', 9), row('c', 10)];
    assert.deepEqual(counts(compareReplay(live, [row('a', 1), row('b', 9)], bounds, 'records')), [2, 0, 0, 0, 1]);
    assert.deepEqual(counts(compareReplay(live, [row('a', 1)], bounds, 'records')), [2, 1, 0, 0, 1]);
    assert.deepEqual(
      counts(compareReplay(live, [row('a', 1), row('b', 9)], { ...bounds, upper: 'all' }, 'records')),
      [3, 1, 0, 0, 0],
    );
  });

  test('each row of the replay must be one of live', () => {
    const live = [row('a', 1), row('c', 11)];
    assert.deepEqual(counts(compareReplay(live, [row('a', 1), row('c', 11)], bounds, 'records')), [1, 0, 0, 0, 0]);
    assert.deepEqual(counts(compareReplay(live, [row('a', 1), row('a', 1)], bounds, 'records')), [1, 0, 1, 0, 1]);
  });

  test('another content under one name is a row that differs, and named', () => {
    const result = compareReplay([row('a', 1)], [row('a', 1, 'x')], bounds, 'records');
    assert.deepEqual(counts(result), [1, 0, 0, 1, 0]);
    assert.deepEqual(result.wrong, [{ what: 'differs', identity: 'key a', live: '0@1', replay: '0@1' }]);
    assert.notEqual(result.liveHash, result.replayHash);
  });

  test('of several rows with one key those of one instant are a pair', () => {
    const of = (at: number, value: string): OutputRow => ({ ...row('a', at, value), earliest: at });
    const { wrong } = compareReplay([of(1, 'x'), of(2, 'y')], [of(1, 'X'), of(2, 'Y')], bounds, 'records');
    assert.deepEqual(
      wrong.map(({ live, replay }) => `${live} ${replay}`),
      ['0@1 0@1', '0@2 0@2'],
    );
    const { wrong: moved } = compareReplay([of(1, 'x')], [of(3, 'X')], bounds, 'records');
    assert.deepEqual([moved.length, moved[0]?.what], [1, 'differs']);
  });

  test('columns that differ: at most ten, long values cut, one that is missing', () => {
    const live = new Map<string, unknown>([
      ['same', { a: 1 }],
      ['long', 'x'.repeat(1_000)],
      ['gone', 1],
    ]);
    const replay = new Map<string, unknown>([
      ['same', { a: 1 }],
      ['long', 'y'],
    ]);
    assert.deepEqual(differing(live, replay), [
      { column: 'long', live: `${'x'.repeat(200)}...`, replay: 'y' },
      { column: 'gone', live: 1, replay: undefined },
    ]);
    const many = new Map(Array.from({ length: 30 }, (_, i) => [`c${i}`, i] as const));
    assert.equal(differing(many, new Map()).length, 10);
  });

  test('hashes do not depend on the order', () => {
    const rows = [row('a', 1), row('b', 2), row('c', 3)];
    const result = compareReplay(rows, rows.toReversed(), bounds, 'records');
    assert.equal(result.liveHash, result.replayHash);
  });

  function counts({ rows, missing, extra, differing, beyond }: ReturnType<typeof compareReplay>): number[] {
    return [rows, missing, extra, differing, beyond];
  }
});
