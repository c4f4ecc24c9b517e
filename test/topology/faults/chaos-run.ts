/** Faults at random for minutes: whatever comes, and whatever comes together, the output is that of an undisturbed run. */
import assert from 'node:assert/strict';
import { BatchBuilder } from '#topology';
import { type FaultRun, PARTITIONS, SESSION_MS, type Worker } from './fault-run.ts';
import type { OwnBroker } from './own-broker.ts';

const WORKERS = { first: 2, most: 4 } as const;
/** After every fault the application goes on within that time, however many came together. */
const PROGRESS_MS = 90_000;
const FAULTS = [
  'kill',
  'kill all',
  'freeze',
  'restart',
  'one more worker',
  'one worker fewer',
  'aborted input',
  'broker restart',
  'broker killed',
  'broker away',
] as const;
type Fault = (typeof FAULTS)[number];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs faults until the time is over, then lets everything end and compares. Every fault comes at least once when there is time for it. */
export class ChaosRun {
  readonly told = new Map<Fault, number>(FAULTS.map((fault) => [fault, 0]));
  readonly #run: FaultRun;
  readonly #broker: OwnBroker;
  #workers: Worker[] = [];
  #nth = 0;
  #brokerFaults: Promise<void> = Promise.resolve();

  constructor(run: FaultRun, broker: OwnBroker) {
    this.#run = run;
    this.#broker = broker;
  }

  /** @param ms how long faults come; the input is fed over the same time. */
  async go(ms: number, perSecond: number): Promise<void> {
    const run = this.#run;
    await run.open();
    this.#workers = await run.startAll(WORKERS.first);
    run.feed(1, perSecond);
    const end = Date.now() + ms;
    let bag: Fault[] = [];
    while (Date.now() < end && run.sent < run.records * 0.95) {
      if (bag.length === 0) bag = this.#shuffled(FAULTS);
      const faults = bag.splice(0, run.random() < 0.25 ? 2 : 1);
      const before = await run.committed();
      await Promise.all(faults.map((fault) => this.#inflict(fault)));
      await run.until(`progress after ${faults.join(' and ')}`, PROGRESS_MS, async () => {
        this.#assertAlive();
        // There is nothing to see once all input is read.
        return (await run.committed()) > before || before > 0.99;
      });
      await pause(run.random() * 2_000);
    }
    run.feed(1, 10 * perSecond);
    await run.finish();
    const { users, minutes } = await run.assertExact(180_000);
    assert.equal(await run.repartitioned(), run.records);
    this.#assertAlive();
    const faults = [...this.told].map(([fault, count]) => `${count} x ${fault}`).join(', ');
    process.stderr.write(
      `chaos: ${faults}; ${run.records} records, ${users.length} + ${minutes.length} windows exact, seed ${run.seed}\n`,
    );
  }

  #shuffled(faults: readonly Fault[]): Fault[] {
    return faults
      .map((fault) => [this.#run.random(), fault] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, fault]) => fault);
  }

  #assertAlive(): void {
    for (const worker of this.#workers) assert.ok(worker.runs, `a worker has ended by itself:\n${worker.log}`);
  }

  async #inflict(fault: Fault): Promise<void> {
    this.told.set(fault, (this.told.get(fault) ?? 0) + 1);
    const { random } = this.#run;
    switch (fault) {
      case 'kill':
        return await this.#replace('SIGKILL');
      case 'kill all':
        await Promise.all(this.#workers.map(() => this.#replace('SIGKILL')));
        return;
      case 'restart':
        return await this.#replace('SIGTERM');
      case 'freeze':
        return await this.#freeze(random() * 3 * SESSION_MS);
      case 'one more worker':
        if (this.#workers.length < WORKERS.most) this.#workers.push(this.#run.start());
        return;
      case 'one worker fewer':
        if (this.#workers.length > 1) await this.#take().end('SIGTERM');
        return;
      case 'aborted input':
        return await this.#abortedInput();
      default:
        // One after the other: there is one broker.
        return await (this.#brokerFaults = this.#brokerFaults.then(() => this.#brokerFault(fault)));
    }
  }

  /** Whoever takes one out puts another in: two faults at once never meet the same worker. */
  #take(): Worker {
    const [worker] = this.#workers.splice(Math.floor(this.#run.random() * this.#workers.length), 1);
    assert.ok(worker);
    return worker;
  }

  async #replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#workers.length === 0) return;
    const worker = this.#take();
    const { ready } = worker;
    const code = await worker.end(signal);
    // One that has just begun does not listen yet.
    if (signal === 'SIGTERM' && ready) assert.equal(code, 0, worker.log);
    this.#workers.push(this.#run.start());
  }

  async #freeze(ms: number): Promise<void> {
    if (this.#workers.length === 0) return;
    const worker = this.#take();
    worker.child.kill('SIGSTOP');
    await pause(ms);
    worker.child.kill('SIGCONT');
    this.#workers.push(worker);
  }

  /** A transaction that stays open for a while in the middle of the input, and is then taken back. */
  async #abortedInput(): Promise<void> {
    const { client, topics, random } = this.#run;
    const batch = new BatchBuilder();
    batch.append(Buffer.from([0, 0, 0, 0]), Buffer.from('{"user":"nobody"}'), Date.UTC(2026, 0, 5, 10));
    const partition = Math.floor(random() * PARTITIONS);
    const nth = this.#nth++;
    try {
      const producer = await client.producer({ transactionalId: `chaos-${nth}`, transactionTimeoutMs: 10_000 });
      try {
        await producer.fence();
        await producer.begin();
        await producer.send([{ topic: topics.clicks.name, partition, batch }]);
        await pause(random() * 1_500);
        await producer.abort();
      } finally {
        await producer.close();
      }
    } catch (error) {
      // The broker is away in the same moment: its timeout aborts the transaction.
      process.stderr.write(`chaos: aborted input: ${String(error)}\n`);
    }
  }

  async #brokerFault(fault: 'broker restart' | 'broker killed' | 'broker away'): Promise<void> {
    if (fault === 'broker restart') await this.#broker.stop();
    else await this.#broker.kill();
    await pause(fault === 'broker away' ? 5_000 + this.#run.random() * 10_000 : 0);
    await this.#broker.revive();
  }
}
