/** What the tests of global tables share: views joined with items, over a broker in memory whose readers can be held. */
import type { TestContext } from 'node:test';
import assert from 'node:assert/strict';
import {
  BatchBuilder,
  buildTopology,
  globalJoin,
  HINTS_TOPIC,
  type KafkaClient,
  type KafkaReader,
  type Logger,
  partitionFor,
  RecordCursor,
  type SerdeFactory,
  stage,
  startStreamApp,
  type StreamApp,
  type Topology,
  type TopicPartition,
} from '#topology';
import { type ChaosClient, FakeKafka } from '#topology/testing';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';

export interface View {
  readonly n: number;
  readonly item: string;
}

export const PARTITIONS = 3;
/** Not as many as the views: a global table needs no common partitions. */
export const ITEM_PARTITIONS = 2;
export const views = origin<View>('views', PARTITIONS);
export const items = origin<string>('items', ITEM_PARTITIONS);
export const named = derived<string>('named', PARTITIONS);

export const naming = stage('named', (s) => {
  const table = s.globalTable(items, { store: 'everywhere' });
  s.stream(views)
    .pipe(
      globalJoin(
        table,
        (r) => r.value.item,
        (view, name) => `${view.n} ${view.item} ${name}`,
        { join: 'left' },
      ),
    )
    .to(named);
});

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const DEADLINE_MS = 20_000;

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; !(await condition());) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What the readers of the global table do in one process. */
export class Gate {
  /** Polls of readers of the table wait while true. */
  held = false;
  /** What each poll of readers of the table takes, ms. */
  slowMs = 0;
  /** So many polls may pass nevertheless. */
  allowed = 0;
  /** Polls of readers of the table that have waited. */
  waiting = 0;
  /** The next polls of readers of the table fail with these. */
  readonly failures: Error[] = [];
  /** Seeks of readers that read the table, per partition. */
  readonly seeks: TopicPartition[] = [];

  /** Readers of the table get one batch per poll and partition. */
  wrap(client: KafkaClient): KafkaClient {
    return {
      ...client,
      reader: async (options) => this.#reader(await client.reader({ ...options, maxBytesPerPartition: 1 })),
    };
  }

  #reader(reader: KafkaReader): KafkaReader {
    let isOfTable = false;
    return {
      seek: (tp, offset) => {
        if (tp.topic === items.name) {
          isOfTable = true;
          this.seeks.push(tp);
        }
        reader.seek(tp, offset);
      },
      poll: async (maxWaitMs) => {
        if (!isOfTable) return await reader.poll(maxWaitMs);
        if (this.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.slowMs));
        if (this.held) this.waiting++;
        while (this.held && this.allowed === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        if (this.held) this.allowed--;
        const failure = this.failures.shift();
        if (failure !== undefined) throw failure;
        return await reader.poll(maxWaitMs);
      },
      remove: (tp) => reader.remove(tp),
      pause: (tp) => reader.pause(tp),
      resume: (tp) => reader.resume(tp),
      close: () => reader.close(),
    };
  }
}

/** A broker with the topics, and the processes of an application over it. */
export class Shelf {
  readonly broker = new FakeKafka();
  readonly client = this.broker.client();
  readonly fatal: Error[] = [];
  readonly warnings: string[] = [];
  readonly #apps: StreamApp[] = [];
  readonly #gates: Gate[] = [];
  #sent = 0;

  async open(): Promise<void> {
    const admin = await this.client.admin();
    await admin.ensureTopics([
      { name: views.name, partitions: PARTITIONS },
      { name: HINTS_TOPIC, partitions: 1 },
    ]);
    await this.makeItems();
  }

  async makeItems(): Promise<void> {
    await (await this.client.admin()).ensureTopics([{ name: items.name, partitions: ITEM_PARTITIONS }]);
  }

  async start({
    gate = new Gate(),
    topology = buildTopology([naming], { app: 'shelf' }),
    serdes = jsonSerdes,
    mortal,
  }: { gate?: Gate; topology?: Topology; serdes?: SerdeFactory; mortal?: ChaosClient } = {}): Promise<StreamApp> {
    this.#gates.push(gate);
    const app = await startStreamApp({
      client: mortal ?? gate.wrap(this.broker.client()),
      ...(mortal === undefined ? {} : { clock: mortal.clock }),
      topology,
      serdes,
      logger: { ...SILENT, warn: (_fields, text) => void this.warnings.push(text ?? '') },
      // The timers of one that is killed must end.
      options: mortal === undefined ? { topicWatchMs: 600_000 } : { topicWatchMs: 1_000, trimIntervalMs: 1_000 },
      onFatal: (error) => void this.fatal.push(error),
    });
    // One that is killed never answers.
    if (mortal === undefined) this.#apps.push(app);
    return app;
  }

  async close(): Promise<void> {
    for (const gate of this.#gates) gate.held = false;
    await Promise.all(this.#apps.map((app) => app.stop()));
  }

  /** Names of items; null deletes, undefined has no key. One batch each. */
  async put(rows: Readonly<Record<string, string | null>>): Promise<void> {
    const producer = await this.client.producer();
    for (const [key, name] of Object.entries(rows)) {
      const batch = new BatchBuilder();
      batch.append(Buffer.from(key), name === null ? null : Buffer.from(JSON.stringify(name)), 1_000);
      const partition = partitionFor(Buffer.from(key), ITEM_PARTITIONS);
      await producer.send([{ topic: items.name, partition, batch }]);
    }
  }

  /** One view of each item, spread over the partitions in turn; numbered on. */
  async view(...of: readonly string[]): Promise<void> {
    const producer = await this.client.producer();
    for (const item of of) {
      const n = this.#sent++;
      const batch = new BatchBuilder();
      batch.append(Buffer.from(`v${n}`), Buffer.from(JSON.stringify({ n, item })), 1_000 + n);
      await producer.send([{ topic: views.name, partition: n % PARTITIONS, batch }]);
    }
  }

  /** `number item name` of all committed results, by number. */
  results(topic: string = named.name): string[] {
    const cursor = new RecordCursor();
    const found: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const tp = { topic, partition };
      for (let offset = 0n; ;) {
        const fetched = this.broker.partition(tp).fetch(tp, offset, true, 2 ** 20);
        for (const batch of fetched?.batches ?? []) {
          cursor.open(batch);
          while (cursor.next()) found.push(JSON.parse(String(cursor.valueBytes())) as string);
        }
        if (fetched === undefined || fetched.nextOffset >= fetched.endOffset) break;
        offset = fetched.nextOffset;
      }
    }
    return found.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  }

  /** Waits for so many results, and gives them. */
  async resultsOf(count: number): Promise<string[]> {
    await until(`${count} results`, () => this.results().length >= count || this.fatal.length > 0);
    assert.deepEqual(this.fatal, []);
    return this.results();
  }
}

/** The rows of a table, sorted. */
export const rowsOf = (app: Pick<StreamApp, 'table'>, store = 'everywhere'): string[] =>
  [...app.table(store).entries()].map(([key, { value }]) => `${String(key)} ${String(value)}`).toSorted();

/** A shelf that is open until the test ends. */
export async function shelf(t: TestContext): Promise<Shelf> {
  const opened = new Shelf();
  await opened.open();
  t.after(() => opened.close());
  return opened;
}
