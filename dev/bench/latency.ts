/** `npm run bench:latency`: R3 exactly-once at a steady rate, Kafka Streams and Sluice in turn on the same broker. */
import { type BenchContext, withBroker } from './broker.ts';
import { expectedEnriched } from './expected.ts';
import { isRight, type LatencyReport, type LatencyRun, latencyRatio } from './latency-report.ts';
import { type LatencyRunOptions, measureLatency } from './latency-run.ts';
import { INPUT, loadItems } from './load.ts';
import { preparePeer } from './peer.ts';
import { machine } from './report.ts';

/** What it needs. */
export interface LatencyOptions extends BenchContext {
  readonly small: boolean;
  readonly runs: number;
  /** Runs Sluice; the workload and topics are in its environment. */
  readonly sluice: readonly string[];
  /** false: Sluice only. */
  readonly peer: boolean;
}

const RATE = 5_000;
const SECONDS = { full: { warmup: 10, measured: 30 }, small: { warmup: 3, measured: 5 } } as const;
/** Both: it is Kafka Streams' own default under exactly-once. */
const COMMIT_MS = '100';

/** Runs it on a broker of its own. Rejects as `withBroker` does; wrong or missing rows are told in the report. */
export async function benchLatency(options: LatencyOptions): Promise<LatencyReport> {
  const { warmup, measured } = SECONDS[options.small ? 'small' : 'full'];
  const records = RATE * (warmup + measured);
  return await withBroker(options, async ({ client, address }) => {
    const { folder, signal, progress } = options;
    const peer = options.peer ? await preparePeer(options) : [];
    await loadItems(client, INPUT.items);
    const expected = expectedEnriched({ records });
    const env = {
      BOOTSTRAP: address,
      ITEMS: INPUT.items,
      WORKLOAD: 'r3',
      GUARANTEE: 'exactly_once_v2',
      THREADS: '2',
      COMMIT_MS,
    };
    const common = { client, env, rate: RATE, records, warmup: RATE * warmup, expected, folder, signal };
    const engines: LatencyRunOptions[] = [
      ...(options.peer ? [{ ...common, engine: 'kafka-streams', command: peer } as const] : []),
      { ...common, engine: 'sluice', command: options.sluice },
    ];
    const runs: LatencyRun[] = [];
    for (let nth = 1; nth <= options.runs; nth++) {
      for (const engine of engines) {
        const run = await measureLatency(engine);
        runs.push(run);
        const { p50, p99, max, missing, checksum, load } = run;
        const times = [p50, p99, max].map((ms) => ms.toFixed(0)).join(' / ');
        const result = isRight(run) ? 'right' : `WRONG: ${missing} missing, ${checksum}, not ${expected}`;
        progress(`run ${nth}: ${engine.engine} ${times} ms, ${result} (load ${load.join('-')})`);
      }
    }
    const ratio = latencyRatio(runs);
    return {
      machine: machine(),
      at: new Date().toISOString(),
      rate: RATE,
      warmupSeconds: warmup,
      measuredSeconds: measured,
      checksumOk: runs.every(isRight),
      ...(ratio !== undefined && { ratio }),
      runs,
    };
  });
}
