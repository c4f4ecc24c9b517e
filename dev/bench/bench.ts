/** The benchmark: loads the topics, runs Kafka Streams and Sluice in turn on them, and reports. */
import { type BenchContext, withBroker } from './broker.ts';
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
  'R3-as-of': {
    title: '(both exactly-once; Sluice joins as of event time, the peer with what its table holds)',
    job: 'r3-as-of',
    guarantee: 'exactly_once_v2',
    kind: 'enriched',
  },
} as const;

/** Name of a workload. */
export type WorkloadName = keyof typeof WORKLOADS;

/** Run when none is named: those in which both engines do the same work. */
export const DEFAULT_WORKLOADS: readonly WorkloadName[] = ['R1', 'R2', 'R3', 'R3-eos'];

/** What a benchmark needs. */
export interface BenchOptions extends BenchContext {
  readonly workloads: readonly WorkloadName[];
  readonly dataset: DatasetName;
  readonly workers: number;
  readonly runs: number;
  /** Runs Sluice; the workload and topics are in its environment. */
  readonly sluice: readonly string[];
  /** false: Sluice only. */
  readonly peer: boolean;
}

/** Runs the benchmark on a broker of its own. Rejects as `withBroker` does. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  return await withBroker(options, async ({ client, address, pid }) => {
    const { dataset, workers, progress } = options;
    const peer = options.peer ? await preparePeer(options) : [];
    progress(`loads ${DATASETS[dataset].records} records`);
    await loadInputs(client, DATASETS[dataset].records);
    const workloads: Record<string, WorkloadReport> = {};
    for (const name of options.workloads) {
      const base = { client, brokerPid: pid, folder: options.folder, signal: options.signal };
      const runs = await alternate(name, peer, base, address, options);
      workloads[name] = reportOf(WORKLOADS[name].title, DATASETS[dataset].records, runs);
    }
    return { machine: machine(), at: new Date().toISOString(), dataset, workers, workloads };
  });
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
