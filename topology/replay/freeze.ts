/** Freezes the inputs of a replay (TIME.md rule 13): ends first, then the ledger's. */
import type { Clock } from '../clock.ts';
import type { AnyTopic } from '../dsl/graph.ts';
import { applicationsOf } from '../dsl/parts.ts';
import type { Topology } from '../dsl/topology.ts';
import { ConfigError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import type { CommittedOffset, KafkaAdmin, KafkaClient } from '../runtime/kafka-client.ts';
import type { Pin } from '../time/ledger-records.ts';
import { type LedgerView, readLedgers } from './live-ledger.ts';
import { type RangeBound, type ReplayInput, type ReplayPlan, type ReplayRequest, requestText } from './replay-plan.ts';
import { replayNames } from './replay-topology.ts';

/** What freezing needs: both topologies, and Kafka. */
export interface FreezeOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly live: Topology;
  readonly replay: Topology;
  readonly request: ReplayRequest;
  readonly clock: Clock;
}

interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Origin partitions end where live stands: its pins before that are all written, so every record has the time that it had live. Derived topics
 * end where they end when the ledger has been read: no promise in it is about what comes later. Starts go back to a pin, for its clock.
 * ConfigError SLC_REPLAY_RANGE for a range that cannot be, SLC_REPLAY_EMPTY when there is nothing to read.
 */
export async function freezeReplay(options: FreezeOptions): Promise<ReplayPlan> {
  const { client, admin, live, replay, request, clock } = options;
  const topics = inputTopics(replay);
  const tables = globalTopics(replay);
  await checkTopics(admin, [...topics, ...tables]);
  const origins = partitionsOf(topics.filter((topic) => topic.origin !== undefined));
  const derived = partitionsOf(topics.filter((topic) => topic.origin === undefined));
  if (derived.length > 0 && request.to !== 'now') {
    throw new ConfigError(
      'SLC_REPLAY_RANGE',
      `${derived[0]?.topic} is written by stages: where its input stood at --to is not known`,
      {
        hint: 'replay up to now, or name the stages that write it too (or all)',
      },
    );
  }
  const committed = await committedBy(admin, applicationsOf(live), origins);
  const logs = await admin.offsets(origins, { committed: true });
  const ledger = await readLedgers(client, admin, live, clock);
  const derivedLogs = await admin.offsets(derived, { committed: false });
  const globals = partitionsOf(tables);
  const globalLogs = await admin.offsets(globals, { committed: true });
  const whole = tablesBehind(replay);
  const inputs = [
    ...origins.map((at, i) => {
      const log = ends(at, logs[i] ?? { start: 0n, end: 0n }, committed);
      const topic = topics.find(({ name }) => name === at.topic);
      const from = whole.has(at.topic) ? 'earliest' : request.from;
      return originInput(at, log, pinsOf(ledger, at), { from, to: request.to, topic });
    }),
    ...derived.map((at, i): ReplayInput => {
      const { start, end } = derivedLogs[i] ?? { start: 0n, end: 0n };
      const before = start > 0n ? Infinity : -Infinity;
      return { ...at, origin: false, start, startClock: -Infinity, before, end, endClock: -Infinity };
    }),
  ];
  if (inputs.every(({ start, end }) => start >= end)) {
    throw new ConfigError('SLC_REPLAY_EMPTY', `${requestText(request)}: no input has a record in that range`, {
      hint: 'a replay ends where the live application stands: has `sluice run` processed anything?',
    });
  }
  const foreign = new Set(derived.map(({ topic }) => topic));
  return {
    id: request.id,
    app: live.app,
    request: requestText(request),
    stages: request.stages === 'all' ? live.stages.map(({ name }) => name) : [...request.stages],
    epoch: replay.epoch,
    createdAt: clock.now(),
    ledgerEnd: ledger.end,
    names: replayNames(live, replay, request.id, ledger.roster?.topics ?? []),
    inputs,
    globalTables: globals.map((at, i) => ({ ...at, end: globalLogs[i]?.end ?? 0n })),
    promises: [...ledger.promises.values()].filter(({ topic }) => foreign.has(topic)),
    finishedAt: null,
  };
}

/** Topics that the replay reads and does not write. */
export function inputTopics(replay: Topology): AnyTopic[] {
  const sources = replay.subTopologies.flatMap((sub) => sub.sources.map(({ topic }) => topic));
  const written = new Set(replay.subTopologies.flatMap((sub) => sub.sinks.map(({ topic }) => topic.name)));
  const read = sources.filter((topic): topic is AnyTopic => 'value' in topic && !written.has(topic.name));
  return [...new Map(read.map((topic) => [topic.name, topic])).values()];
}

/** Whoever writes them: a replay reads live's. */
function globalTopics(replay: Topology): AnyTopic[] {
  return [...new Map(replay.globalTables.map(({ topic }) => [topic.name, topic])).values()];
}

async function checkTopics(admin: KafkaAdmin, topics: readonly AnyTopic[]): Promise<void> {
  const counts = await admin.partitionCounts(topics.map(({ name }) => name));
  const missing = topics.filter(({ name }) => !counts.has(name)).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new ConfigError('SLC_REPLAY_EMPTY', `there is no topic ${missing.join(', ')}`, {
    hint: 'nothing was ever written to it: start the sources and `sluice run` first',
  });
}

function partitionsOf(topics: readonly AnyTopic[]): TopicPartition[] {
  return topics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  );
}

/** Of each origin topic one application of a project has positions. */
async function committedBy(
  admin: KafkaAdmin,
  apps: readonly string[],
  partitions: readonly TopicPartition[],
): Promise<CommittedOffset[]> {
  const committed: CommittedOffset[] = [];
  for (const app of apps) committed.push(...(await admin.committedOffsets(app, partitions)));
  return committed;
}

/** Where live stands; where the log ends for a topic that live never read. */
function ends(at: TopicPartition, log: Range, committed: readonly CommittedOffset[]): Range {
  const ofTopic = committed.filter(({ topic }) => topic === at.topic);
  if (ofTopic.length === 0) return log;
  const position = ofTopic.find(({ partition }) => partition === at.partition)?.offset ?? log.start;
  return { start: log.start, end: position > log.start ? position : log.start };
}

/** By offset, and of one offset by m. */
function pinsOf(ledger: LedgerView, { topic, partition }: TopicPartition): Pin[] {
  return ledger.pins
    .filter((pin) => pin.topic === topic && pin.partition === partition)
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.m - b.m));
}

/** A table that is read as of a time needs all its versions: the topics that it is made of are read from their start. */
function tablesBehind(replay: Topology): Set<string> {
  const found = new Set<string>();
  const visit = (topic: string): void => {
    if (found.has(topic)) return;
    found.add(topic);
    for (const { stage } of replay.writers.get(topic) ?? []) {
      const nodes = replay.stages.find(({ name }) => name === stage)?.graph.nodes ?? [];
      for (const node of nodes) if (node.parents.length === 0 && node.topic !== undefined) visit(node.topic.name);
    }
  };
  for (const { graph } of replay.stages) {
    for (const { spec, topic } of graph.nodes) if (spec.kind === 'table' && topic !== undefined) visit(topic.name);
  }
  return found;
}

function originInput(
  at: TopicPartition,
  log: Range,
  pins: readonly Pin[],
  { from, to, topic }: { from: ReplayRequest['from']; to: ReplayRequest['to']; topic: AnyTopic | undefined },
): ReplayInput {
  const slack = topic?.origin?.outOfOrdernessMs ?? 0;
  const kept = pins.filter((pin) => pin.at <= log.end);
  const end = to === 'now' ? log.end : endOf(log, kept, to);
  const endClock = Math.max(-Infinity, ...newest(kept.filter((pin) => pin.at <= end)));
  const start = startOf(log, kept, from, slack);
  return { ...at, origin: true, ...start, end: end > start.start ? end : start.start, endClock };
}

const newest = (pins: readonly Pin[]): number[] => pins.slice(-1).map(({ m }) => m);

/** The first pin that says that everything before the time has come, or where live stands. */
function endOf(log: Range, pins: readonly Pin[], to: RangeBound): bigint {
  if ('offset' in to) return to.offset < log.end ? to.offset : log.end;
  return pins.find((pin) => pin.m >= to.time)?.at ?? log.end;
}

/**
 * A pin is the clock at its offset, so a replay can begin there: the newest one before which nothing wanted lies. Of a log whose first records
 * are gone, the first pin that is left.
 */
function startOf(
  log: Range,
  pins: readonly Pin[],
  from: ReplayRequest['from'],
  slackMs: number,
): Pick<ReplayInput, 'start' | 'startClock' | 'before'> {
  const usable = pins.filter((pin) => pin.at >= log.start && Number.isFinite(pin.m));
  const isBefore = (pin: Pin): boolean =>
    from !== 'earliest' && ('time' in from ? pin.m + slackMs < from.time : pin.at <= from.offset);
  const pin = usable.findLast(isBefore);
  if (pin !== undefined) return { start: pin.at, startClock: pin.m, before: pin.at > 0n ? pin.m + slackMs : -Infinity };
  if (log.start === 0n) return { start: 0n, startClock: -Infinity, before: -Infinity };
  const [first] = usable;
  if (first === undefined) return { start: log.start, startClock: -Infinity, before: Infinity };
  return { start: first.at, startClock: first.m, before: first.m + slackMs };
}
