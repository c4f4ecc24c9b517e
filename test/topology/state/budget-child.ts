/**
 * A slot without a broker, in a process of its own for its memory: counts per key and hour, all hours open at once, then closed one by one.
 * Arguments: empty | memory | persistent, keys, windows, budget in bytes, directory. Prints what it saw as JSON.
 */
import { createHash } from 'node:crypto';
import {
  BatchBuilder,
  buildTopology,
  keyBy,
  mapValues,
  originTopic,
  parseFetched,
  RecordCursor,
  type Schema,
  stage,
  sum,
  topic,
  tumbling,
  windowedBy,
} from '#topology';
import { random } from '#topology/testing';
import { boundGarbage } from '../../../bin/garbage.ts';
import { Slot } from '../../../topology/runtime/slot.ts';
import { SlotState } from '../../../topology/runtime/slot-state.ts';
import { makeSlotParts, numberedNames, wire } from '../../../topology/runtime/wiring.ts';
import { StateBudget } from '../../../topology/state/state-budget.ts';
import { jsonSerdes } from '../runtime/app-child.ts';

export interface BudgetRun {
  readonly rows: number;
  readonly hash: string;
  readonly entries: number;
  readonly maxRssBytes: number;
  readonly maxUsedBytes: number;
}

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 0, 5);
const BATCH = 1_000;
const schema = <T>(name: string): Schema<T> => ({ name, definition: { type: 'record', name, fields: [] } });

const views = originTopic<{ n: number }>('m.views', {
  value: schema('View'),
  partitions: 1,
  outOfOrderness: '60h',
  maxAhead: '10000h',
});
const hourly = topic<{ n: number }>('m.hourly', { value: schema('Hourly'), partitions: 1 });
const byHour = stage('hourly', (s) => {
  s.stream(views)
    .pipe(
      windowedBy(tumbling({ size: '1h', grace: '1m' })),
      sum((value) => value.n, { store: 'hours' }),
      mapValues((n) => ({ n })),
      keyBy((r) => `${r.key.start}|${r.key.key}`),
    )
    .to(hourly);
});

class Run {
  readonly #slot: Slot;
  readonly #state: SlotState | undefined;
  readonly #budget: StateBudget;
  readonly #hash = createHash('sha256');
  #offset = 0n;
  #written = 0n;
  rows = 0;
  maxUsedBytes = 0;
  entries = 0;

  constructor(slot: Slot, state: SlotState | undefined, budget: StateBudget) {
    this.#slot = slot;
    this.#state = state;
    this.#budget = budget;
  }

  feed(records: readonly { key: string; at: number; n: number }[]): void {
    const batch = new BatchBuilder();
    for (const { key, at, n } of records) batch.append(Buffer.from(key), Buffer.from(JSON.stringify({ n })), at);
    const { batches } = parseFetched(withOffset(batch, this.#offset), this.#offset, []);
    this.#offset += BigInt(records.length);
    const nextOffset = this.#offset;
    this.#slot.enqueue({ topic: views.name, partition: 0, batches, nextOffset, endOffset: nextOffset, bytes: 0 });
    this.#slot.process(records.length);
    this.commit();
  }

  closeUpTo(m: number): void {
    this.#slot.pin({ topic: views.name, partition: 0, at: this.#offset, m });
    this.commit();
  }

  commit(): void {
    this.#slot.advance();
    const plan = this.#slot.takeCommit();
    this.#state?.check();
    if (plan === undefined) return;
    const { batches } = plan.collected;
    const results = batches.map(({ topic: to, partition, batch }) => {
      if (to === hourly.name) this.#look(batch);
      const baseOffset = this.#written;
      this.#written += BigInt(batch.count);
      return { topic: to, partition, baseOffset };
    });
    this.#state?.sent(batches, results);
    plan.ledger(results);
    this.#state?.committed();
    this.maxUsedBytes = Math.max(this.maxUsedBytes, this.#budget.used);
    const size = this.#slot.tasks
      .flatMap((task) => [...task.stores.values()])
      .reduce((all, store) => all + store.size, 0);
    this.entries = Math.max(this.entries, size);
  }

  #look(batch: BatchBuilder): void {
    const cursor = new RecordCursor();
    for (const each of parseFetched(withOffset(batch, 0n), 0n, []).batches) {
      cursor.open(each);
      while (cursor.next()) {
        this.#hash.update(cursor.keyBytes() ?? '').update(cursor.valueBytes() ?? '');
        this.rows++;
      }
    }
  }

  digest(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }
}

function withOffset(batch: BatchBuilder, offset: bigint): Buffer {
  const bytes = Buffer.from(batch.seal(-1n, -1, -1, false));
  bytes.writeBigInt64BE(offset, 0);
  return bytes;
}

async function measure(
  mode: string,
  keys: number,
  windows: number,
  budgetBytes: number,
  directory: string,
): Promise<BudgetRun> {
  const topology = buildTopology([byHour], { app: 'm' });
  const wiring = await wire(topology, jsonSerdes, { names: numberedNames(topology), floors: {} });
  const quiet = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
  const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
  const budget = new StateBudget(budgetBytes);
  const settings = { directory, budget, checkpointMs: 10_000 };
  const identity = { app: 'm', epoch: topology.epoch, partition: 0 };
  const state = mode === 'persistent' ? new SlotState(settings, identity, clock, quiet) : undefined;
  const { tasks, inputs, collector } = makeSlotParts(wiring, 0, () => ({ offset: 0n, clock: -Infinity }), { state });
  state?.begin('hours', { start: 0n, end: 0n }, () => undefined);
  state?.attach();
  const options = { tickMs: 1_000, idleAfterMs: 60_000 };
  const relieve = state && (() => state.relieve());
  const slot = new Slot({
    partition: 0,
    inputs,
    tasks,
    collector,
    said: new Map(),
    written: new Map(),
    options,
    relieve,
  });
  const run = new Run(slot, state, budget);
  if (mode !== 'empty') feedAll(run, keys, windows);
  state?.close(false);
  const { rows, entries, maxUsedBytes } = run;
  return { rows, hash: run.digest(), entries, maxRssBytes: process.resourceUsage().maxRSS * 1_024, maxUsedBytes };
}

function feedAll(run: Run, keys: number, windows: number): void {
  const chance = random(7);
  const keyOf = (n: number): string => `customer-${String(n).padStart(6, '0')}`;
  const all = keys * windows;
  // Each key in each window once, then half as many again, anywhere.
  for (let i = 0; i < all * 1.5; i += BATCH) {
    run.feed(
      Array.from({ length: BATCH }, (_, j) => {
        const isFirst = i + j < all;
        const window = isFirst ? Math.floor((i + j) / keys) : chance.int(0, windows - 1);
        const key = isFirst ? (i + j) % keys : chance.int(0, keys - 1);
        return { key: keyOf(key), at: START + window * HOUR_MS + chance.int(0, HOUR_MS - 1), n: chance.int(1, 9) };
      }),
    );
  }
  for (let window = 1; window <= windows; window++) run.closeUpTo(START + window * HOUR_MS + 60_000);
}

boundGarbage();
const [mode = '', keys, windows, budget, directory = ''] = process.argv.slice(2);
console.log(JSON.stringify(await measure(mode, Number(keys), Number(windows), Number(budget), directory)));
