/**
 * A worker of `sluice bench --restore`: one slot, one store with a count per key. Tells its starter when it is assigned the slot, when it has its state and
 * runs, when it has committed, and how far its copy is behind.
 */
import {
  buildTopology,
  count,
  createKafkaClient,
  originTopic,
  type Schema,
  type SerdeFactory,
  stage,
  startStreamApp,
  topic,
} from '#topology';
import { pino } from 'pino';

/** Names of the application and its input. */
export const RESTORE = { app: 'bench-restore', input: 'bench-restore.views', store: 'totals' } as const;

/** What a worker tells; `at` in ms since the epoch, `cpu` in seconds since it was started. */
export type WorkerTold =
  | { readonly type: 'assigned'; readonly at: number; readonly cpu: number }
  | { readonly type: 'committed'; readonly at: number; readonly cpu: number }
  | { readonly type: 'running'; readonly at: number; readonly cpu: number; readonly restored: number }
  | { readonly type: 'copy'; readonly lag: number | null; readonly entries: number }
  | { readonly type: 'state'; readonly entries: number; readonly rssMb: number };

const LOOK_MS = 10;
const TELL_EVERY = 20;

const json: SerdeFactory = {
  open: <T>(_subject: string, _schema: Schema<T>) =>
    Promise.resolve({
      serialize: (value: T) => Buffer.from(JSON.stringify(value)),
      deserialize: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as T,
    }),
};
const schema = <T>(name: string): Schema<T> => ({ name, definition: { type: 'record', name, fields: [] } });

const views = originTopic<{ user: string }>(RESTORE.input, {
  value: schema('View'),
  partitions: 1,
  outOfOrderness: '5s',
  maxAhead: '10000h',
});
const totals = topic<{ n: number }>('bench-restore.totals', { value: schema('Total'), partitions: 1 });
const perUser = stage('totals', (s) => {
  s.stream(views)
    .pipe(count({ store: RESTORE.store }))
    .mapValues((n) => ({ n }))
    .toStream()
    .to(totals);
});

/** Runs until SIGTERM. */
async function main(): Promise<void> {
  const logger = pino({ level: process.env['SLUICE_LOG'] ?? 'warn' }, process.stderr);
  const brokers = [process.env['BENCH_KAFKA'] ?? ''];
  const client = createKafkaClient({ brokers, clientId: RESTORE.app, logger });
  const app = await startStreamApp({
    client,
    topology: buildTopology([perUser], { app: RESTORE.app }),
    serdes: json,
    logger,
    standby: Number(process.env['BENCH_STANDBY'] ?? '0'),
    onFatal: (error) => {
      logger.fatal({ err: error }, error.message);
      process.exit(1);
    },
  });
  let looks = 0;
  let told: 'nothing' | 'assigned' | 'running' | 'committed' = 'nothing';
  const timer = setInterval(() => {
    const { slots, ready, restored, commits, standbys, stages } = app.stats();
    const { user, system } = process.cpuUsage();
    const now = { at: performance.timeOrigin + performance.now(), cpu: (user + system) / 1e6 };
    if (told === 'nothing' && slots.length > 0) tell({ type: (told = 'assigned'), ...now });
    if (told === 'assigned' && ready) tell({ type: (told = 'running'), ...now, restored });
    if (told === 'running' && commits > 0) tell({ type: (told = 'committed'), ...now });
    if (looks++ % TELL_EVERY !== 0) return;
    for (const { lag, entries } of standbys) tell({ type: 'copy', lag, entries: entries ?? 0 });
    const rssMb = Math.round(process.memoryUsage().rss / 2 ** 20);
    tell({ type: 'state', entries: stages[0]?.stateEntries ?? 0, rssMb });
  }, LOOK_MS);
  await new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  clearInterval(timer);
  await app.stop();
  await client.close();
}

function tell(what: WorkerTold): void {
  process.send?.(what);
}

if (process.argv[1] === import.meta.filename) {
  await main();
  process.exit(0);
}
