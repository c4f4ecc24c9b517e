/** `npm run bench:late`: a day of event time read back at once with a grace of 5 min in the windows: who still counts all of it. */
import { readFile } from 'node:fs/promises';
import type { KafkaAdmin, TopicPartition } from '#topology';
import { type BenchBroker, type BenchContext, withBroker } from './broker.ts';
import { type ExpectedCounts, expectedCounts } from './expected.ts';
import { droppedIn, isAccountedFor, type LateReport, type LateRun, percent, sharesOf, sumOf } from './late-report.ts';
import { INPUT, loadPageviews } from './load.ts';
import { measure } from './measure.ts';
import { preparePeer } from './peer.ts';
import { machine } from './report.ts';
import { type DatasetName, DATASETS, PARTITIONS } from './workload.ts';

/** What it needs. */
export interface LateOptions extends BenchContext {
  readonly dataset: DatasetName;
  readonly runs: number;
  /** Runs Sluice; the workload and topics are in its environment. */
  readonly sluice: readonly string[];
  /** false: Sluice only. */
  readonly peer: boolean;
}

/** It warns of each record that it drops, millions of lines. */
const WARNS_OF_DROPS = 'org.apache.kafka.streams.kstream.internals.KStreamWindowAggregate';

/** Runs it on a broker of its own. Rejects as `withBroker` does; what was not kept is told in the report. */
export async function benchLate(options: LateOptions): Promise<LateReport> {
  const { records } = DATASETS[options.dataset];
  return await withBroker(options, async (broker) => {
    const [java = '', ...args] = options.peer ? await preparePeer(options) : [];
    const peer = [java, `-Dorg.slf4j.simpleLogger.log.${WARNS_OF_DROPS}=error`, ...args];
    options.progress(`loads ${records} records`);
    await loadPageviews(broker.client, INPUT.pageviews, { records });
    const expected = expectedCounts({ records });
    const runs: LateRun[] = [];
    for (let nth = 1; nth <= options.runs; nth++) {
      for (const engine of options.peer ? (['kafka-streams', 'sluice'] as const) : (['sluice'] as const)) {
        const run = await runOnce(engine, engine === 'sluice' ? options.sluice : peer, expected, broker, options);
        runs.push(run);
        const share = percent(run.kept / expected.counts);
        const result = run.right ? '' : ', WRONG';
        options.progress(`run ${nth}: ${engine} kept ${run.kept} of ${expected.counts} counts, ${share}${result}`);
      }
    }
    return {
      machine: machine(),
      at: new Date().toISOString(),
      records,
      counts: expected.counts,
      kept: sharesOf(runs, expected.counts),
      checksumOk: runs.every(({ right }) => right),
      runs,
    };
  });
}

/** The peer is at-least-once here, so that its positions are those of its last record: nothing but time makes it lose anything. */
async function runOnce(
  engine: LateRun['engine'],
  command: readonly string[],
  expected: ExpectedCounts,
  { client, address, pid }: BenchBroker,
  { folder, signal }: LateOptions,
): Promise<LateRun> {
  const env = {
    BOOTSTRAP: address,
    INPUT: INPUT.pageviews,
    WORKLOAD: 'r1',
    LATE: 'native',
    GUARANTEE: 'at_least_once',
    THREADS: '2',
    COMMIT_MS: '1000',
  };
  const common = { client, engine, command, env, workers: 1, kind: 'counts', brokerPid: pid, folder, signal } as const;
  const isPeer = engine === 'kafka-streams';
  const run = await measure({
    ...common,
    expected: expected.checksum,
    ...(isPeer && { isComplete: hasReadAll }),
  });
  const kept = sumOf(run.checksum);
  const dropped = isPeer ? droppedIn(await readFile(run.log, 'utf8')) : undefined;
  const right = isPeer ? isAccountedFor(kept, dropped, expected.updates) : run.checksumOk;
  const { wallSeconds, load, log } = run;
  return { engine, kept, dropped, right, wallSeconds, load, log };
}

/** Whether the peer has committed positions at the end of its input and of its repartition topic, and so has written all that it will. */
export async function hasReadAll(admin: KafkaAdmin, appId: string): Promise<boolean> {
  const topics = (await admin.listTopics()).filter(
    (topic) => topic === INPUT.pageviews || (topic.includes(appId) && topic.endsWith('-repartition')),
  );
  const partitions = topics.flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition): TopicPartition => ({ topic, partition })),
  );
  const ends = await admin.offsets(partitions, { committed: false });
  const positions = await admin.committedOffsets(appId, partitions);
  const left = partitions.filter(({ topic, partition }, i) => {
    const position = positions.find((each) => each.topic === topic && each.partition === partition);
    return (position?.offset ?? 0n) < (ends[i]?.end ?? 0n);
  });
  return topics.length > 1 && left.length === 0;
}
