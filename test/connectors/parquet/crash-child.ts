/** A process that owns all partitions, or believes so, and writes until they end. It is killed at any moment. */
import { random } from '../../../topology/testing/random.ts';
import { TaskMigratedError } from '#topology';
import { makeSink, numberRecord, topic } from './harness.ts';

const [root = '', end = '0', partitions = '0', seed = '0'] = process.argv.slice(2);
const END = Number(end);
const next = random(Number(seed));
const sink = makeSink(root, { retentionMs: 300, merge: { fanIn: 3 } });
await sink.open();

async function carry(partition: number): Promise<void> {
  for (;;) {
    const claim = await sink.claim(topic, partition);
    try {
      for (;;) {
        const from = Number(claim.nextOffset ?? 0n);
        if (from >= END) return;
        const to = Math.min(END, from + next.int(1, 120));
        const records = Array.from({ length: to - from }, (_, i) =>
          numberRecord(BigInt(from + i), `k${from + i}`, from + i),
        );
        await claim.write(records, BigInt(to));
      }
    } catch (error) {
      if (!(error instanceof TaskMigratedError)) throw error;
    } finally {
      await claim.close();
    }
    // The other one gets a chance to write before it is fenced in its turn.
    await new Promise((resolve) => setTimeout(resolve, next.int(0, 60)));
  }
}

await Promise.all(Array.from({ length: Number(partitions) }, (_, partition) => carry(partition)));
await sink.close();
