import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BronzeShopUsers } from '#schemas';
import { schemas } from '#schemas';
import { topics } from '../../processors/topics.ts';

const { bronze, silver, gold } = topics;
const all = [
  ...Object.values(bronze.shop),
  ...Object.values(bronze.app),
  ...Object.values(bronze.ops),
  ...Object.values(silver),
  ...Object.values(gold),
];

describe('topics of the shop', () => {
  it('cover every schema, each under its own name', () => {
    const used = all.flatMap((topic) => [topic.value, ...(topic.key === 'text' ? [] : [topic.key])]);
    assert.deepEqual(used.map((schema) => schema.name).sort(), Object.keys(schemas).sort());
    for (const topic of all) {
      assert.equal(topic.value.name, topic.name);
      assert.equal(topic.key === 'text' || topic.key.name === `${topic.name}-key`, true);
    }
  });

  it('only gold is compacted: silver is read as of a time, and of events none replaces another', () => {
    const events: readonly string[] = [gold.segmentChanges.name];
    for (const { name, cleanup } of all)
      assert.equal(cleanup, name.startsWith('gold.') && !events.includes(name) ? 'compact' : 'delete');
  });

  it('changes of tables are timed by the envelope', () => {
    const change = { op: 'r', ts_ms: 5 } as BronzeShopUsers;
    const { origin } = bronze.shop.users;
    assert.equal(origin?.receivedAt?.(change), 5);
    assert.equal(origin?.isSnapshot?.(change), true);
    assert.equal(origin?.isSnapshot?.({ ...change, op: 'u' }), false);
    assert.deepEqual([origin?.outOfOrdernessMs, bronze.app.pageviews.origin?.outOfOrdernessMs], [10_000, 60_000]);
  });
});
