import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  compareCoordinates,
  finalCoordinate,
  originCoordinate,
  splitCoordinate,
} from '../../../topology/time/coordinate.ts';
import { encodePin, encodePromise, encodeRoster, parseLedgerRecord } from '../../../topology/time/ledger-records.ts';
import { OriginClock } from '../../../topology/time/origin-clock.ts';
import { CurrentTime, keepTime } from '../../../topology/time/record-time.ts';
import { coordinateOf, encodeTime, isTimeHeader, watermarkOf } from '../../../topology/time/time-header.ts';
import { TopicWatermark } from '../../../topology/time/topic-watermark.ts';

const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);
const RUNS = { numRuns: 500, seed: SEED };

test(`origin coordinates order as (topic, partition, offset) (seed ${SEED})`, () => {
  const place = fc.tuple(fc.nat(0x7fff), fc.nat(0xffff), fc.nat({ max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(place, place, (a, b) => {
      const expected = Math.sign(a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      assert.equal(Math.sign(compareCoordinates(originCoordinate(...a), originCoordinate(...b))), expected);
    }),
    RUNS,
  );
});

test(`coordinates of finals order as (start, end), negative times included (seed ${SEED})`, () => {
  const window = fc.tuple(fc.integer(), fc.integer());
  fc.assert(
    fc.property(window, window, (a, b) => {
      const key = Buffer.from('k');
      const expected = Math.sign(a[0] - b[0] || a[1] - b[1]);
      assert.equal(
        Math.sign(compareCoordinates(finalCoordinate(1, ...a, key), finalCoordinate(1, ...b, key))),
        expected,
      );
    }),
    RUNS,
  );
});

test('records split from one keep their order, and come after nothing else of it', () => {
  const one = originCoordinate(1, 2, 3);
  const parts = [0, 1, 2, 300].map((i) => splitCoordinate(one, i));
  assert.deepEqual(parts.toSorted(compareCoordinates), parts);
  assert.ok(parts.every((part) => compareCoordinates(part, originCoordinate(1, 2, 4)) < 0));
});

test(`the time header gives back what it was made from (seed ${SEED})`, () => {
  const ow = fc.oneof(fc.constant(-Infinity), fc.maxSafeInteger());
  fc.assert(
    fc.property(ow, fc.nat(), (originWatermark, offset) => {
      const coordinate = originCoordinate(7, 3, offset);
      const header = encodeTime({ originWatermark, coordinate });
      assert.ok(isTimeHeader(header));
      assert.equal(watermarkOf(header), originWatermark);
      assert.ok(coordinateOf(header).equals(coordinate));
    }),
    RUNS,
  );
  assert.ok(!isTimeHeader(null));
  assert.ok(!isTimeHeader(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0])), 'another version');
});

test('a kept time does not change when the next record comes', () => {
  const time = new CurrentTime();
  time.setOrigin(5, 1, 2, 3);
  const kept = keepTime(time);
  time.setOrigin(9, 1, 2, 4);
  assert.equal(kept.originWatermark, 5);
  assert.ok(kept.coordinate.equals(originCoordinate(1, 2, 3)));
});

test('an origin clock follows the largest timestamp minus outOfOrderness, and pins; it never goes back', () => {
  const clock = new OriginClock(10, -Infinity);
  assert.equal(clock.observe(100), 90);
  assert.equal(clock.observe(50), 90);
  clock.pin(80);
  assert.equal(clock.watermark, 90);
  clock.pin(200);
  assert.equal(clock.observe(150), 200);
  assert.equal(new OriginClock(10, 200).observe(150), 200, 'a restart does not lower it');
});

test('a topic is complete up to the least promise whose end the reader has passed; a silent writer holds it', () => {
  const topic = new TopicWatermark(1, ['a/0', 'a/1']);
  const promise = (writer: string, m: number, end: bigint) => ({ writer, topic: 't', m, ends: [999n, end] });
  topic.receive(promise('a/0', 100, 5n));
  topic.receive(promise('x/9', 7, 0n));
  assert.equal(topic.advance(5n), false, 'a/1 has said nothing');
  assert.equal(topic.heldBackBy(), 'a/1');
  topic.receive(promise('a/1', 80, 6n));
  assert.equal(topic.advance(5n), false, 'the end of a/1 is not passed');
  assert.equal(topic.advance(6n), true);
  assert.equal(topic.watermark, 80);
  for (let i = 0; i < 5_000; i++) topic.receive(promise('a/1', 81 + i, BigInt(7 + i)));
  topic.receive(promise('a/0', 9_000, 6n));
  topic.advance(100_000n);
  assert.equal(topic.watermark, 80 + 5_000, 'thinning keeps the newest');
});

test('ledger records come back as they were written; what is unknown is left alone', () => {
  const parse = (record: { key: Uint8Array; value: Uint8Array }) =>
    parseLedgerRecord(Buffer.from(record.key), Buffer.from(record.value));
  const pin = { topic: 'bronze.a', partition: 3, at: 12n, m: 1_700_000_000_123 };
  assert.deepEqual(parse(encodePin(pin)), { kind: 'pin', ...pin });
  const promise = { writer: 'silver.a/2', topic: 'silver.a', m: Infinity, ends: [1n, 0n, 22n] };
  assert.deepEqual(parse(encodePromise(promise)), { kind: 'promise', ...promise });
  const roster = {
    app: 'shop',
    topics: ['a', 'b'],
    epoch: 'e',
    stores: { s: 'count' },
    writers: { 'silver.a': ['silver.a/0'] },
    floors: { 'silver.b/0|silver.a': 12 },
  };
  assert.deepEqual(parse(encodeRoster(roster)), { kind: 'roster', ...roster });
  const project = { ...roster, owners: { 'silver.a': 'shop', 'gold.a': 'shop.part' } };
  assert.deepEqual(parse(encodeRoster(project)), { kind: 'roster', ...project });
  assert.equal(parseLedgerRecord(Buffer.from('pin|a|0|0'), null), undefined);
  assert.equal(parseLedgerRecord(Buffer.from('later|x'), Buffer.from('{}')), undefined);
});
