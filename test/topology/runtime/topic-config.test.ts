import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildTopology, count, keyBy, originTopic, stage } from '#topology';
import { topicsOf } from '../../../topology/runtime/app-topics.ts';
import { limitsForDisk, topicConfig, type TopicKind, topicSpec } from '../../../topology/runtime/topic-config.ts';

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

describe('limitsForDisk', () => {
  it('what all topics of an application of 250 partitions keep fits on the disk', () => {
    const disk = 5e9;
    const limits = limitsForDisk(disk);
    const bytes = (kind: TopicKind): number => {
      const config = topicConfig(kind, limits);
      const kept = Math.max(0, Number(config['retention.bytes'] ?? 0));
      return kept + Number(config['segment.bytes']);
    };
    const partitions = {
      origin: 36,
      table: 24,
      late: 42,
      dlq: 60,
      repartition: 42,
      changelog: 48,
      derived: 18,
    } as const;
    const sum = Object.entries(partitions).reduce((all, [kind, count]) => all + count * bytes(kind as TopicKind), 0);
    assert.ok(sum < disk * 1.1, `${sum} bytes`);
    assert.ok(sum > disk * 0.5, `${sum} bytes: most of the disk is not used`);
    assert.ok(Number(topicConfig('origin', limitsForDisk(1))['segment.bytes']) >= 2 ** 20, "Kafka's own least");
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

describe('topicsOf', () => {
  it('what a task puts aside has a partition of its number, and never fewer than six', () => {
    const stageOf = (name: string, partitions: number) =>
      stage(name, (s) => {
        const value = { name: 'V', definition: 'string' };
        const topic = originTopic<string>(`${name}.in`, { value, partitions, outOfOrderness: '0s' });
        s.stream(topic).pipe(
          keyBy((r) => r.value, { name: `${name}-again` }),
          count({ store: `${name}-counts` }),
        );
      });
    const topics = topicsOf(buildTopology([stageOf('wide', 24), stageOf('narrow', 2)], { app: 'a' }));
    const partitionsOf = new Map(topics.map(({ name, partitions }) => [name, partitions]));
    assert.equal(partitionsOf.get('a-wide-again-repartition'), 24);
    for (const what of ['late', 'dlq']) {
      assert.equal(partitionsOf.get(`wide.${what}`), 24);
      assert.equal(partitionsOf.get(`narrow.${what}`), 6);
    }
  });
});
