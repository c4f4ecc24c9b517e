/** `npm run bench:growth`: R2 with more keys, more records, more workers, more partitions, Sluice only. */
import { type BenchContext, withBroker } from './broker.ts';
import { expectedCounts } from './expected.ts';
import { type GrowthCase, growthOf, type GrowthReport } from './growth-report.ts';
import { loadPageviews } from './load.ts';
import { measure, type RunResult } from './measure.ts';
import { machine } from './report.ts';
import { HOT_ITEMS, PARTITIONS } from './workload.ts';

/** What it needs. */
export interface GrowthOptions extends BenchContext {
  /** Of the cases that do not grow by records. */
  readonly records: number;
  readonly runs: number;
  /** Only cases whose name contains it, besides the first, which the others are compared with. */
  readonly only: string;
  /** Runs Sluice; the workload and topics are in its environment. */
  readonly sluice: readonly string[];
}

const TEN = 10;
const MANY_PARTITIONS = 24;
/** A run that takes longer is wrong: so long for each record, and for the rest. */
const RECORD_MS = 0.1;
const RUN_MS = 5 * 60_000;

/** What grows, each from the first case; the last one has the workers that many partitions are for. */
export function growthCases(records: number): GrowthCase[] {
  const first: GrowthCase = { name: 'as it is', records, hotItems: HOT_ITEMS, partitions: PARTITIONS, workers: 1 };
  const partitions = MANY_PARTITIONS;
  return [
    first,
    { ...first, name: '10 x keys', hotItems: HOT_ITEMS * TEN },
    { ...first, name: '10 x records', records: records * TEN },
    { ...first, name: '2 workers', workers: 2 },
    { ...first, name: '4 workers', workers: 4 },
    { ...first, name: '24 partitions', partitions },
    { ...first, name: '24 partitions, 4 workers', partitions, workers: 4 },
  ];
}

/** Runs every case on one broker, in turn. Rejects as `withBroker` does; wrong results are told in the report. */
export async function benchGrowth(options: GrowthOptions): Promise<GrowthReport> {
  const { runs, only, progress, folder, signal } = options;
  const cases = growthCases(options.records).filter(({ name }, i) => i === 0 || name.includes(only));
  return await withBroker(options, async ({ client, address, pid }) => {
    const inputs = new Map<string, string>();
    for (const size of cases) {
      const topic = topicOf(size);
      if (inputs.has(topic)) continue;
      progress(`loads ${size.records} records of ${size.hotItems} items into ${size.partitions} partitions`);
      await loadPageviews(client, topic, size);
      inputs.set(topic, expectedCounts(size).checksum);
    }
    const common = {
      client,
      engine: 'sluice',
      command: options.sluice,
      kind: 'counts',
      brokerPid: pid,
      folder,
      signal,
    } as const;
    const results = new Map<GrowthCase, RunResult[]>(cases.map((size) => [size, []]));
    for (let nth = 1; nth <= runs; nth++) {
      for (const [size, of] of results) {
        const { workers, partitions } = size;
        const topic = topicOf(size);
        const env = { BOOTSTRAP: address, INPUT: topic, WORKLOAD: 'r1', PARTITIONS: String(partitions) };
        const expected = inputs.get(topic) ?? '';
        const result = await measure({
          ...common,
          env,
          workers,
          partitions,
          expected,
          runMs: RUN_MS + size.records * RECORD_MS,
        });
        of.push(result);
        const { cpuSeconds, peakRssMb, checksumOk, load } = result;
        const perCpu = Math.round(size.records / cpuSeconds);
        const right = checksumOk ? 'right' : `WRONG: ${result.checksum}, not ${expected}`;
        progress(
          `${size.name}, run ${nth}: ${perCpu} records per CPU-s, ${peakRssMb} MB, ${right} (load ${load.join('-')})`,
        );
      }
    }
    const grown = growthOf([...results]);
    const checksumOk = grown.every((one) => one.checksumOk);
    return { machine: machine(), at: new Date().toISOString(), checksumOk, cases: grown };
  });
}

/** Cases that differ in workers only read the same topic. */
const topicOf = ({ records, hotItems, partitions }: GrowthCase): string =>
  `bench.pageviews-${records}-${hotItems}-${partitions}`;
