/** Without faults the client of chaos is a client like others; with them it says so, and what it said was lost may have been made. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchBuilder, type GroupMembership, type KafkaClient, RetriableError } from '#topology';
import { ChaosClient, FakeKafka, random, VirtualClock } from '#topology/testing';
import { kafkaClientContract } from './contract.ts';
import { groupsContract } from './groups.contract.ts';

const broker = new FakeKafka();
const gentle = (): ChaosClient =>
  new ChaosClient(broker.client(), { clock: broker.clock, random: random(1), failures: 0, delayMs: 0 });

kafkaClientContract('ChaosClient', gentle);
groupsContract('ChaosClient', gentle);

describe('chaos', () => {
  const topic = 'chaos';

  async function world(failures: number): Promise<{ clock: VirtualClock; fake: FakeKafka; client: ChaosClient }> {
    const clock = new VirtualClock();
    const fake = new FakeKafka({ clock });
    const client = new ChaosClient(fake.client(), { clock, random: random(7), failures, delayMs: 3 });
    await (await client.admin()).ensureTopics([{ name: topic, partitions: 1 }]);
    return { clock, fake, client };
  }

  const batch = (): BatchBuilder => {
    const one = new BatchBuilder();
    one.append(null, Buffer.from('x'), 1);
    return one;
  };

  test('one that is killed while it joins leaves the group all the same', async () => {
    const { clock, fake } = await world(0);
    const inner = fake.client();
    const joined = Promise.withResolvers<GroupMembership>();
    let left = 0;
    const slow: KafkaClient = Object.assign(Object.create(inner) as KafkaClient, {
      join: async () => await joined.promise,
    });
    const client = new ChaosClient(slow, { clock, random: random(7), failures: 0, delayMs: 0 });
    const nothing = (): undefined => undefined;
    const options = { group: 'g', topics: [topic], epoch: '1', sessionTimeoutMs: 10_000 };
    void client.join({ ...options, onAssigned: nothing, onLost: nothing });
    await new Promise(setImmediate);
    await client.kill();
    joined.resolve({ leave: async () => void left++ } as unknown as GroupMembership);
    await new Promise(setImmediate);
    assert.equal(left, 1);
  });

  test('frozen twice, it stands still as a whole until the longer one is over', async () => {
    const { clock, client } = await world(0);
    const admin = await client.admin();
    const woken: string[] = [];
    const ask = async (name: string): Promise<void> => {
      await admin.listTopics();
      woken.push(`${name} after ${clock.now() - began} ms`);
    };
    const began = clock.now();
    await client.freeze(100);
    const first = ask('first');
    await client.freeze(30);
    await clock.until(Promise.all([first, ask('second')]));
    assert.deepEqual(woken.toSorted(), ['first after 100 ms', 'second after 100 ms']);
  });

  test('of the commits that fail, some are made', async () => {
    const { clock, fake, client } = await world(0.5);
    client.isCalm = false;
    const outcomes = { told: 0, failed: 0 };
    for (let nth = 0; nth < 60; nth++) {
      const producer = await client.producer({ transactionalId: 't' });
      const work = async (): Promise<void> => {
        await producer.fence();
        await producer.begin();
        await producer.send([{ topic, partition: 0, batch: batch() }]);
        await producer.commit();
      };
      await clock.until(work()).then(
        () => outcomes.told++,
        (error: unknown) => {
          assert.ok(error instanceof RetriableError);
          outcomes.failed++;
        },
      );
    }
    client.isCalm = true;
    const producer = await client.producer({ transactionalId: 't' });
    await clock.until(producer.fence());
    const log = fake.partition({ topic, partition: 0 });
    let made = 0;
    for (let offset = 0n; offset < log.end(true);) {
      const fetched = log.fetch({ topic, partition: 0 }, offset, true, 2 ** 20);
      assert.ok(fetched !== undefined);
      made += fetched.batches.length;
      offset = fetched.nextOffset;
    }
    assert.equal(client.failures, outcomes.failed);
    assert.ok(made > outcomes.told && made < 60, `${made} made, ${outcomes.told} told`);
  });

  test('who is killed hears nothing any more, and its clock stands still', async () => {
    const { clock, client } = await world(0);
    const producer = await client.producer({ transactionalId: 't' });
    await client.kill();
    let heard = 0;
    void producer.fence().then(() => heard++);
    void client.clock.sleep(5).then(() => heard++);
    void client.admin().then((admin) => admin.listTopics().then(() => heard++));
    await clock.pass(1_000);
    assert.equal(heard, 0);
  });
});
