/**
 * `node dev/bench/state.ts [records] [keys]`: what state on disk costs the engine, and how fast it is restored, over a broker in memory: the same records
 * with state in memory and above a file. Processor time of the process; each run in a process of its own.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchBuilder,
  buildTopology,
  count,
  hopping,
  keyBy,
  type Logger,
  mapValues,
  originTopic,
  type Schema,
  type SerdeFactory,
  stage,
  startStreamApp,
  type StreamApp,
  sum,
  topic,
  windowedBy,
} from '#topology';
import { FakeKafka, random } from '#topology/testing';

const RECORDS = Number(process.argv[2] ?? 100_000);
const KEYS = Number(process.argv[3] ?? 10_000);
const START = Date.UTC(2026, 0, 5);

const json: SerdeFactory = {
  open: <T>(_subject: string, _schema: Schema<T>) =>
    Promise.resolve({
      serialize: (value: T) => Buffer.from(JSON.stringify(value)),
      deserialize: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as T,
    }),
};
const schema = <T>(name: string): Schema<T> => ({ name, definition: { type: 'record', name, fields: [] } });
const views = originTopic<{ user: string; n: number }>('b.views', {
  value: schema('View'),
  partitions: 1,
  outOfOrderness: '5s',
  maxAhead: '10000h',
});
const hourly = topic<{ n: number }>('b.hourly', { value: schema('Hourly'), partitions: 1 });
const totals = topic<{ n: number }>('b.totals', { value: schema('Total'), partitions: 1 });

const stages = [
  stage('hourly', (s) => {
    s.stream(views)
      .pipe(
        windowedBy(hopping({ size: '1h', advance: '15m', grace: '1m' })),
        sum((value) => value.n, { store: 'hourly' }),
        mapValues((n) => ({ n })),
        keyBy((r) => r.key.key),
      )
      .to(hourly);
  }),
  stage('totals', (s) => {
    s.stream(views)
      .pipe(count({ store: 'totals' }))
      .mapValues((n) => ({ n }))
      .toStream()
      .to(totals);
  }),
];

const quiet: Logger = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

class Bench {
  readonly #broker = new FakeKafka();
  readonly #directory: string | undefined;

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  async #start(): Promise<StreamApp> {
    return await startStreamApp({
      client: this.#broker.client(),
      topology: buildTopology(stages, { app: 'b' }),
      serdes: json,
      logger: quiet,
      ...(this.#directory !== undefined && { state: { directory: this.#directory } }),
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async run(): Promise<void> {
    const admin = await this.#broker.client().admin();
    await admin.ensureTopics([
      { name: 'b.views', partitions: 1 },
      { name: 'sluice.hints', partitions: 1 },
    ]);
    await this.#fill();
    const app = await this.#start();
    const before = process.cpuUsage();
    while ((app.inputs()[0]?.position ?? 0n) < BigInt(RECORDS)) await new Promise((resolve) => setTimeout(resolve, 20));
    const { user, system } = process.cpuUsage(before);
    console.log(
      `  ${((user + system) / RECORDS).toFixed(2)} us of processor time per record, ${app.stats().commits} commits`,
    );
    const stopping = performance.now();
    await app.stop();
    console.log(`  stopped within ${Math.round(performance.now() - stopping)} ms`);
    await this.#restore('a restart');
    if (this.#directory === undefined) return;
    rmSync(this.#directory, { recursive: true, force: true });
    await this.#restore('a restart without its directory');
  }

  async #restore(what: string): Promise<void> {
    const begun = performance.now();
    const used = process.cpuUsage();
    const app = await this.#start();
    while (!app.stats().ready) await new Promise((resolve) => setTimeout(resolve, 5));
    const seconds = (performance.now() - begun) / 1_000;
    const { user, system } = process.cpuUsage(used);
    const { restored } = app.stats();
    const perCpu = Math.round(restored / ((user + system) / 1e6));
    const speed =
      restored === 0 ? '' : `, ${Math.round(restored / seconds)} a second, ${perCpu} per second of processor time`;
    console.log(`  ${what}: ${restored} changelog records${speed}; ready after ${seconds.toFixed(2)} s`);
    await app.stop();
  }

  async #fill(): Promise<void> {
    const producer = await this.#broker.client().producer();
    const chance = random(1);
    for (let n = 0; n < RECORDS;) {
      const batch = new BatchBuilder();
      for (let i = 0; i < 2_000 && n < RECORDS; i++, n++) {
        const user = `user-${chance.int(0, KEYS - 1)}`;
        batch.append(Buffer.from(user), Buffer.from(JSON.stringify({ user, n: 1 })), START + n * 40);
      }
      await producer.send([{ topic: 'b.views', partition: 0, batch }]);
    }
  }
}

const mode = process.env['SLUICE_BENCH_STATE'];
if (mode === undefined) {
  for (const [each, name] of [
    ['memory', 'state in memory'],
    ['persistent', 'state above a file'],
  ] as const) {
    console.log(`${name}: ${RECORDS} records, ${KEYS} keys`);
    const child = fork(import.meta.filename, process.argv.slice(2), {
      env: { ...process.env, SLUICE_BENCH_STATE: each },
    });
    await new Promise((resolve) => child.once('exit', resolve));
  }
} else {
  const directory = mode === 'memory' ? undefined : mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  try {
    await new Bench(directory).run();
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}
