/** The benchmark: loads the topics, runs Kafka Streams and Sluice in turn on them, and reports. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, createKafkaClient, type Logger } from '#topology';
import { kafkaPart } from '../parts/index.ts';
import { INPUT, loadInputs } from './load.ts';
import { measure, type RunOptions, type RunResult } from './measure.ts';
import { preparePeer } from './peer.ts';
import { type BenchReport, machine, reportOf, type WorkloadReport } from './report.ts';
import { type DatasetName, DATASETS } from './workload.ts';

/** What is compared. Sluice has exactly-once only: where the peer is at-least-once, it does more. */
export const WORKLOADS = {
  R1: { title: '(peer at-least-once, Sluice exactly-once)', job: 'r1', guarantee: 'at_least_once', kind: 'counts' },
  R2: { title: '(both exactly-once)', job: 'r1', guarantee: 'exactly_once_v2', kind: 'counts' },
  R3: { title: '(peer at-least-once, Sluice exactly-once)', job: 'r3', guarantee: 'at_least_once', kind: 'enriched' },
  'R3-eos': { title: '(both exactly-once)', job: 'r3', guarantee: 'exactly_once_v2', kind: 'enriched' },
} as const;

/** Name of a workload. */
export type WorkloadName = keyof typeof WORKLOADS;

/** What a benchmark needs. */
export interface BenchOptions {
  readonly workloads: readonly WorkloadName[];
  readonly dataset: DatasetName;
  readonly workers: number;
  readonly runs: number;
  /** Runs Sluice; the workload and topics are in its environment. */
  readonly sluice: readonly string[];
  /** false: Sluice only. */
  readonly peer: boolean;
  /** Of this benchmark only: data of its broker, state, logs. */
  readonly folder: string;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const DISK_BYTES = 40 * 2 ** 30;
const STOP_MS = 10_000;

/** Runs the benchmark on a broker of its own. ConfigError SLC_BENCH_SYSTEM where there is no /proc to measure by. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  if (process.platform !== 'linux') {
    throw new ConfigError(
      'SLC_BENCH_SYSTEM',
      `the benchmark measures by /proc, which ${process.platform} does not have`,
      {
        hint: 'run it on Linux',
      },
    );
  }
  const { cacheDir, signal, progress, folder } = options;
  await mkdir(folder, { recursive: true });
  const part = kafkaPart({ heapMb: 1_024 });
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new ConfigError('SLC_PART_MISSING', missing);
  let told = '';
  const tellOnce = (text: string): void => {
    if (text !== told) progress(text);
    told = text;
  };
  const peer = options.peer ? await preparePeer({ cacheDir, signal, progress: tellOnce }) : [];
  const dataDir = join(folder, 'kafka');
  const logFile = join(folder, 'kafka.log');
  const context = { dataDir, logFile, cacheDir, diskBytes: DISK_BYTES, ports: {}, signal, progress: () => {} };
  const broker = await part.start(context);
  const client = createKafkaClient({ brokers: [broker.address], clientId: 'sluice-bench', logger: SILENT });
  try {
    progress(`loads ${DATASETS[options.dataset].records} records`);
    await loadInputs(client, DATASETS[options.dataset].records);
    const workloads: Record<string, WorkloadReport> = {};
    for (const name of options.workloads) {
      const base = { client, brokerPid: broker.pid, folder, signal };
      const runs = await alternate(name, peer, base, broker.address, options);
      workloads[name] = reportOf(WORKLOADS[name].title, DATASETS[options.dataset].records, runs);
    }
    const { dataset, workers } = options;
    return { machine: machine(), at: new Date().toISOString(), dataset, workers, workloads };
  } finally {
    await client.close();
    await broker.stop(STOP_MS);
    await part.removeData(dataDir);
  }
}

/** In turn: whatever else the machine does meets both. */
async function alternate(
  name: WorkloadName,
  peer: readonly string[],
  base: Pick<RunOptions, 'client' | 'brokerPid' | 'folder' | 'signal'>,
  bootstrap: string,
  options: BenchOptions,
): Promise<RunResult[]> {
  const { job, guarantee, kind } = WORKLOADS[name];
  const expected = DATASETS[options.dataset][kind];
  const env = {
    BOOTSTRAP: bootstrap,
    INPUT: INPUT.pageviews,
    ITEMS: INPUT.items,
    WORKLOAD: job,
    GUARANTEE: guarantee,
    THREADS: '2',
    COMMIT_MS: '1000',
  };
  const common = { ...base, env, kind, expected };
  const results: RunResult[] = [];
  for (let nth = 1; nth <= options.runs; nth++) {
    const engines = [
      ...(options.peer ? [{ ...common, engine: 'kafka-streams', command: peer, workers: 1 } as const] : []),
      { ...common, engine: 'sluice', command: options.sluice, workers: options.workers } as const,
    ];
    for (const engine of engines) {
      const result = await measure(engine);
      results.push(result);
      const { wallSeconds, cpuSeconds, peakRssMb, checksumOk } = result;
      options.progress(
        `${name} run ${nth}: ${engine.engine} ${wallSeconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} CPU-s, ${peakRssMb} MB, ` +
          `${checksumOk ? 'right' : `WRONG: ${result.checksum}, not ${expected}`} (load ${result.load.join('-')})`,
      );
    }
  }
  return results;
}
