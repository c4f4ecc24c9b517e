import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, RetriableError, systemClock } from '#topology';
import { watchTopics } from '../../../topology/runtime/topic-watch.ts';

const TOPICS = [
  { name: 'a', partitions: 6 },
  { name: 'b', partitions: 1 },
];
const FINE = { a: 6, b: 1 };

/** What the watch says when the broker answers so, one answer after the other. */
async function watch(answers: readonly (Readonly<Record<string, number>> | Error)[]): Promise<Error[]> {
  const said: Error[] = [];
  const abort = new AbortController();
  const left = [...answers];
  await watchTopics({
    admin: {
      partitionCounts: () => {
        const answer = left.shift();
        if (left.length === 0) abort.abort();
        if (answer instanceof Error) return Promise.reject(answer);
        return Promise.resolve(new Map(Object.entries(answer ?? FINE)));
      },
    },
    topics: TOPICS,
    clock: systemClock,
    intervalMs: 1,
    signal: abort.signal,
    onFatal: (error) => said.push(error),
  });
  return said;
}

describe('the topics of a running application', () => {
  test('as they were: nothing is said', async () => assert.deepEqual(await watch([FINE, FINE, FINE]), []));

  test('one is deleted: said once, with what to do', async () => {
    const [error, ...more] = await watch([FINE, { a: 6 }, { a: 6 }, { a: 6 }, { a: 6 }]);
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'SLC_APP_TOPIC_GONE');
    assert.equal(error.where, 'b');
    assert.ok(error.hint);
    assert.deepEqual(more, []);
  });

  test('one gets a partition', async () => {
    const [error] = await watch([{ a: 7, b: 1 }, { a: 7, b: 1 }, FINE]);
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'SLC_APP_TOPIC_PARTITIONS');
    assert.match(error.message, /topic a has 7 partitions now, the application runs with 6/);
  });

  test('a broker that comes back and does not know all topics at first is believed the second time', async () => {
    const away = new RetriableError('SLC_BROKER_AWAY', 'away');
    assert.deepEqual(await watch([{}, FINE, { a: 6 }, away, { a: 6 }, FINE]), []);
  });
});
