/** `sluice verify --replay ID`: is what a replay gave what live gave from the same input? */
import {
  type ComparedTopic,
  comparedTopics,
  deadLetterTopicOf,
  type KafkaAdmin,
  type KafkaClient,
  lateTopicOf,
  PlanStore,
  replayNameOf,
  type ReplayPlan,
  replayTopology,
  SluiceError,
  type Topology,
} from '#topology';
import type { ByteViewer } from '../../inspect/show-bytes.ts';
import { type FrozenRanges, readDeadLetters, readLate } from './aside-rows.ts';
import { type Bounds, compareReplay, isEqual, type RowsComparison } from './compare-rows.ts';
import { withColumns } from './differing-columns.ts';
import { LiveState } from './live-state.ts';
import { type OutputRows, readOutput, withoutErased } from './output-rows.ts';

/** What it needs. */
export interface VerifyReplayOptions {
  readonly client: KafkaClient;
  readonly live: Topology;
  readonly id: string;
  /** Decodes rows that differ, to tell their columns. */
  readonly viewer: ByteViewer;
  /** For all of it, ms. */
  readonly timeoutMs: number;
  /** What it does or waits for, for people; called when that changes. */
  progress(text: string): void;
}

/** What came of one topic. Bounds are event times, ms. */
export interface TopicVerdict {
  /** Live names. */
  readonly stage: string;
  readonly topic: string;
  readonly replayTopic: string;
  readonly kind: 'records' | 'table' | 'late' | 'dead letters';
  /** undefined: it was not compared. */
  readonly equal: boolean | undefined;
  readonly notCompared: string | undefined;
  readonly lower: number;
  readonly upper: number | 'all';
  readonly comparison: RowsComparison | undefined;
  /** Rows of erased users, which were left out; absent: none. */
  readonly erased?: number;
  readonly schemaIds: { readonly live: readonly number[]; readonly replay: readonly number[] };
}

const POLL_MS = 300;

/**
 * Compares every topic that the replay has written, late records and dead letters included. Live may go on meanwhile. SluiceError
 * SLC_REPLAY_UNKNOWN when there is no such replay, SLC_REPLAY_UNFINISHED while it runs, SLC_VERIFY_DEADLINE when live does not come to where the
 * replay is in time.
 */
export async function verifyReplay(
  options: VerifyReplayOptions,
): Promise<{ plan: ReplayPlan; verdicts: TopicVerdict[] }> {
  const { client, live, id } = options;
  const admin = await client.admin();
  try {
    const plan = await finishedPlan(client, admin, live.app, id);
    const replay = replayTopology(live, {
      id,
      stages: plan.stages.length === live.stages.length ? 'all' : plan.stages,
    });
    if (replay.epoch !== plan.epoch) {
      throw new SluiceError(
        'SLC_REPLAY_CHANGED',
        `replay ${id} was made by another topology: the stages have changed since`,
        {
          hint: `go back to that code, or begin it anew after: sluice replay --drop ${id}`,
        },
      );
    }
    const run = new ReplayVerification(options, admin, plan, replay);
    return { plan, verdicts: await run.compare() };
  } finally {
    await admin.close().catch(() => undefined);
  }
}

async function finishedPlan(client: KafkaClient, admin: KafkaAdmin, app: string, id: string): Promise<ReplayPlan> {
  const plans = await new PlanStore(client, admin, app).read();
  const plan = plans.get(id);
  if (plan === undefined) {
    throw new SluiceError('SLC_REPLAY_UNKNOWN', `there is no replay ${id}`, {
      hint: `there are: ${[...plans.keys()].join(', ') || 'none'}; make one with: sluice replay all --into ${id}`,
    });
  }
  if (plan.finishedAt !== null) return plan;
  throw new SluiceError('SLC_REPLAY_UNFINISHED', `replay ${id} has not reached its end`, {
    hint: 'run the same sluice replay command again: it goes on where it stopped',
  });
}

class ReplayVerification {
  readonly #options: VerifyReplayOptions;
  readonly #admin: KafkaAdmin;
  readonly #plan: ReplayPlan;
  readonly #state: LiveState;
  readonly #topics: readonly ComparedTopic[];
  readonly #deadline: number;

  constructor(options: VerifyReplayOptions, admin: KafkaAdmin, plan: ReplayPlan, replay: Topology) {
    const { client, live, timeoutMs } = options;
    this.#options = options;
    this.#admin = admin;
    this.#plan = plan;
    this.#state = new LiveState(client, admin, live, replay, plan);
    this.#topics = comparedTopics(live, replay, plan);
    this.#deadline = Date.now() + timeoutMs;
  }

  /** Quiet before: live's rows are all there. Quiet afterwards: none of them is from later input. */
  async compare(): Promise<TopicVerdict[]> {
    await this.#liveCaughtUp();
    const before = await this.#state.isQuiet();
    const read: {
      topic: ComparedTopic;
      kind: TopicVerdict['kind'];
      name: string;
      live: OutputRows;
      replay: OutputRows;
      erased?: number;
    }[] = [];
    for (const topic of this.#topics) {
      this.#options.progress(`reading ${topic.topic} and ${topic.replay.name}`);
      read.push({ topic, kind: topic.kind, name: topic.topic, ...(await this.#rowsOf(topic)) });
    }
    for (const [stage, topic] of new Map(this.#topics.map((each) => [each.stage, each]))) {
      this.#options.progress(`reading late records and dead letters of ${stage}`);
      read.push({ topic, kind: 'late', name: lateTopicOf(stage), ...(await this.#asideOf(stage, 'late')) });
      read.push({
        topic,
        kind: 'dead letters',
        name: deadLetterTopicOf(stage),
        ...(await this.#asideOf(stage, 'dead letters')),
      });
    }
    await this.#state.follow();
    const isQuiet = before && (await this.#state.isQuiet());
    return await Promise.all(
      read.map(({ topic, kind, name, live, replay, erased = 0 }) => {
        const verdict = this.#verdict(topic, kind, name, live, replay, isQuiet);
        return this.#explained(erased === 0 ? verdict : { ...verdict, erased });
      }),
    );
  }

  /** With the columns of the rows that differ. */
  async #explained(verdict: TopicVerdict): Promise<TopicVerdict> {
    const { comparison, topic, replayTopic, kind } = verdict;
    if (comparison === undefined || isEqual(comparison)) return verdict;
    const { client, viewer } = this.#options;
    const reading = { client, viewer, deadline: this.#deadline, withTime: kind === 'records' };
    try {
      const wrong = await withColumns(reading, comparison.wrong, { live: topic, replay: replayTopic });
      return { ...verdict, comparison: { ...comparison, wrong } };
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      // That rows differ is known without the registry.
      this.#options.progress(`the columns of ${topic} cannot be told: ${error.message} [${error.code}]`);
      return verdict;
    }
  }

  async #liveCaughtUp(): Promise<void> {
    for (;;) {
      await this.#state.follow();
      const behind = await this.#state.behind();
      if (behind === undefined) return;
      this.#options.progress(`live is not yet where the replay is in ${behind}`);
      if (Date.now() >= this.#deadline) {
        throw new SluiceError('SLC_VERIFY_DEADLINE', `live did not come to where the replay is in ${behind}`, {
          hint: 'is `sluice run` running? --timeout S waits longer',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Without the keys of who was erased, on either side: what live has had of him since, no replay can know. */
  async #rowsOf({
    topic,
    replay,
    kind,
    closeDelayMs,
  }: ComparedTopic): Promise<{ live: OutputRows; replay: OutputRows; erased: number }> {
    const { client } = this.#options;
    const lastPerKey = kind === 'table' || replay.cleanup === 'compact';
    const of = (name: string): Promise<OutputRows> =>
      readOutput({ client, admin: this.#admin, topic: name, kind, lastPerKey, closeDelayMs, deadline: this.#deadline });
    return withoutErased(await of(topic), await of(replay.name));
  }

  async #asideOf(stage: string, kind: 'late' | 'dead letters'): Promise<{ live: OutputRows; replay: OutputRows }> {
    const { client } = this.#options;
    const frozen: FrozenRanges = new Map(
      this.#plan.inputs.map((input) => [`${input.topic}|${input.partition}`, input]),
    );
    const read = kind === 'late' ? readLate : readDeadLetters;
    const nameOf = kind === 'late' ? lateTopicOf : deadLetterTopicOf;
    const of = (topic: string): Promise<OutputRows> =>
      read({ client, admin: this.#admin, topic, frozen, deadline: this.#deadline });
    return { live: await of(nameOf(stage)), replay: await of(nameOf(replayNameOf(stage, this.#plan.id))) };
  }

  #upper({ stage, topic }: ComparedTopic, kind: TopicVerdict['kind']): number {
    return kind === 'late' || kind === 'dead letters' ? this.#state.read(stage) : this.#state.promised(topic);
  }

  #verdict(
    topic: ComparedTopic,
    kind: TopicVerdict['kind'],
    name: string,
    live: OutputRows,
    replay: OutputRows,
    isQuiet: boolean,
  ): TopicVerdict {
    const { stage, lower, nondeterministic } = topic;
    const upper: Bounds['upper'] = isQuiet ? 'all' : this.#upper(topic, kind);
    const base = {
      stage,
      topic: name,
      replayTopic: replayName(name, stage, this.#plan.id, kind, topic),
      kind,
      lower,
      upper,
      schemaIds: { live: live.schemaIds, replay: replay.schemaIds },
    };
    const bounds: Bounds = { upper, lower };
    const notCompared = reasonNot(name, nondeterministic, live, bounds);
    if (notCompared !== undefined) return { ...base, equal: undefined, notCompared, comparison: undefined };
    const comparison = compareReplay(live.rows, replay.rows, bounds, kind === 'table' ? 'table' : 'records');
    return { ...base, equal: isEqual(comparison), notCompared: undefined, comparison };
  }
}

function replayName(name: string, stage: string, id: string, kind: TopicVerdict['kind'], topic: ComparedTopic): string {
  if (kind === 'late') return lateTopicOf(replayNameOf(stage, id));
  if (kind === 'dead letters') return deadLetterTopicOf(replayNameOf(stage, id));
  return name === topic.topic ? topic.replay.name : replayNameOf(name, id);
}

function reasonNot(
  name: string,
  nondeterministic: string | undefined,
  live: OutputRows,
  { upper, lower }: Bounds,
): string | undefined {
  if (nondeterministic !== undefined) return `no function of the log: ${nondeterministic}`;
  if (live.trimmed) return `the first records of ${name} are gone`;
  if (lower === Infinity) return 'the first records of its input are gone, and no pin says what they were';
  if (upper === -Infinity) return 'a clock of its input has never moved, and live has gone on since';
  return undefined;
}
