/** `npm run bench:operators`: what a record costs the engine per operator, without a broker: all of the engine runs, on the fake one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { filter } from 'rxjs';
import {
  buildTopology,
  count,
  dedupe,
  type KafkaClient,
  keyBy,
  type Logger,
  mapValues,
  type SerdeFactory,
  type Stage,
  stage,
  startStreamApp,
  tumbling,
  windowedBy,
} from '#topology';
import { FakeKafka } from '#topology/testing';
import { INPUT, loadInputs } from './load.ts';
import { enrichedAsOf, enrichedViews, itemViews } from './stages.ts';
import { countTopic, enrichedTopic, itemTopic, pageviewTopic } from './topics.ts';

/** One operator (or pipeline) with what a record costs, CPU-ns: the median of the runs. */
export interface OperatorCost {
  readonly name: string;
  readonly nsPerRecord: number;
  readonly spread: readonly [min: number, max: number];
}

const pageviews = pageviewTopic(INPUT.pageviews);
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const STILL_MS = 300;
const POLL_MS = 20;

const CASES: Readonly<Record<string, () => Stage>> = {
  'decode, filter all': () =>
    stage('filtered', (s) =>
      s
        .stream(pageviews)
        .pipe(filter(() => false))
        .to(countTopic('out') as never),
    ),
  'decode, mapValues, encode': () =>
    stage('mapped', (s) =>
      s
        .stream(pageviews)
        .pipe(mapValues((v) => ({ window_start: v.ts, item_id: v.item_id, channel: v.channel, count: 1 })))
        .to(countTopic('out')),
    ),
  'keyBy, repartition, count': () =>
    stage('counted', (s) => {
      s.stream(pageviews).pipe(
        keyBy((r) => r.value.item_id),
        mapValues(() => 1),
        count({ store: 'by-item' }),
      );
    }),
  'keyBy, repartition, count in tumbling windows': () =>
    stage('tumbled', (s) => {
      s.stream(pageviews).pipe(
        keyBy((r) => r.value.item_id),
        mapValues(() => 1),
        windowedBy(tumbling({ size: '1h', grace: '0s' })),
        count({ store: 'by-item', emit: 'updates' }),
      );
    }),
  'R2 (keyBy, repartition, count in hopping windows, encode)': () => itemViews(pageviews, countTopic('out')),
  'R3 (global join, encode)': () => enrichedViews(pageviews, itemTopic(INPUT.items), enrichedTopic('out')),
  'R3-as-of (keyBy, repartition, as-of join, encode)': () =>
    enrichedAsOf(pageviews, itemTopic(INPUT.items), enrichedTopic('out')),
  'dedupe, filter all': () =>
    stage('once', (s) =>
      s
        .stream(pageviews)
        .pipe(
          dedupe({ by: (r) => r.value.event_id, within: '1h', store: 'seen' }),
          filter(() => false),
        )
        .to(countTopic('out') as never),
    ),
};

/** Runs every case whose name contains `only`, `runs` times; the first run of a process is for the compiler and does not count. */
export async function benchOperators(options: {
  readonly records: number;
  readonly runs: number;
  readonly only: string;
  readonly serdes: () => Promise<SerdeFactory>;
}): Promise<OperatorCost[]> {
  const costs: OperatorCost[] = [];
  for (const [name, build] of Object.entries(CASES)) {
    if (!name.includes(options.only)) continue;
    const all: number[] = [];
    for (let nth = 0; nth <= options.runs; nth++)
      all.push(await costOf(build(), options.records, await options.serdes()));
    const counted = all.slice(1).toSorted((a, b) => a - b);
    const nsPerRecord = counted[counted.length >> 1] ?? 0;
    costs.push({ name, nsPerRecord, spread: [counted[0] ?? 0, counted.at(-1) ?? 0] });
  }
  return costs;
}

/** CPU-ns per record of the input, commits included. */
async function costOf(one: Stage, records: number, serdes: SerdeFactory): Promise<number> {
  const kafka = new FakeKafka();
  const client: KafkaClient = kafka.client();
  await loadInputs(client, records);
  const before = process.cpuUsage();
  let failed: Error | undefined;
  const app = await startStreamApp({
    client,
    topology: buildTopology([one], { app: 'bench' }),
    serdes,
    logger: SILENT,
    onFatal: (error) => (failed = error),
  });
  const done = (): number => app.stats().stages.reduce((sum, { records: processed }) => sum + processed, 0);
  let last = 0;
  let used = process.cpuUsage(before);
  for (let since = performance.now(); last < records || performance.now() - since < STILL_MS;) {
    await sleep(POLL_MS);
    if (failed !== undefined) throw failed;
    const now = done();
    if (now === last) continue;
    last = now;
    since = performance.now();
    used = process.cpuUsage(before);
  }
  await app.stop();
  await client.close();
  return ((used.user + used.system) * 1_000) / records;
}

/** The costs as a table in Markdown. */
export function operatorTable(costs: readonly OperatorCost[]): string {
  const rows = costs.map(({ name, nsPerRecord, spread: [min, max] }) => {
    return `| ${name} | ${Math.round(nsPerRecord)} | ${Math.round(min)}-${Math.round(max)} |`;
  });
  return `| per record of the input | CPU-ns | least-most |\n|---|---|---|\n${rows.join('\n')}\n`;
}
