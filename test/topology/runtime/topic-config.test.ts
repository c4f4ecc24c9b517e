import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicConfig, type TopicKind, topicSpec } from '../../../topology/runtime/topic-config.ts';

const KINDS: TopicKind[] = ['origin', 'derived', 'table', 'repartition', 'changelog', 'ledger', 'hints', 'late', 'dlq'];

describe('topicConfig', () => {
  for (const kind of KINDS) {
    it(`${kind}: takes any timestamp and deletes nothing by time`, () => {
      const config = topicConfig(kind);
      assert.equal(config['message.timestamp.type'], 'CreateTime');
      assert.equal(config['message.timestamp.after.max.ms'], '9223372036854775807');
      const compacted = config['cleanup.policy'] === 'compact';
      assert.equal(compacted || config['retention.ms'] === '-1', true);
      assert.equal(compacted, ['derived', 'changelog', 'ledger', 'hints'].includes(kind));
    });
  }

  it('bounds what is kept, but never what is still to be read', () => {
    assert.equal(topicConfig('origin', { historyBytes: 5 })['retention.bytes'], '5');
    assert.equal(topicConfig('dlq', { asideBytes: 6 })['retention.bytes'], '6');
    assert.equal(topicConfig('repartition', { historyBytes: 5, asideBytes: 6 })['retention.bytes'], '-1');
  });
});

describe('topicSpec', () => {
  it('takes the kind from the declaration', () => {
    const declared = { name: 't', partitions: 3, cleanup: 'delete', origin: undefined } as const;
    assert.deepEqual(topicSpec(declared), { name: 't', partitions: 3, config: topicConfig('table') });
    assert.deepEqual(topicSpec({ ...declared, cleanup: 'compact' }).config, topicConfig('derived'));
    assert.deepEqual(topicSpec({ ...declared, origin: {} }).config, topicConfig('origin'));
  });
});
