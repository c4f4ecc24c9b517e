/** Plans of replays, in a compacted topic of the live application: whoever reaches Kafka can go on with a replay, list and drop it. */
import { type Clock, systemClock } from '../clock.ts';
import { RetriableError } from '../errors.ts';
import { BatchBuilder, RecordCursor } from '../record-batch.ts';
import type { KafkaAdmin, KafkaClient } from '../runtime/kafka-client.ts';
import { topicConfig, type TopicLimits } from '../runtime/topic-config.ts';
import { planFromText, planToText, type ReplayPlan } from './replay-plan.ts';

/** The topic of an application's plans. */
export const replaysTopicOf = (app: string): string => `${app}.replays`;

const DEADLINE_MS = 60_000;
const POLL_MS = 250;
const encoder = new TextEncoder();

/** The plans of one live application. Every method waits for the broker as the port does; RetriableError SLC_BROKER_AWAY when that is too long. */
export class PlanStore {
  readonly #client: KafkaClient;
  readonly #admin: KafkaAdmin;
  readonly #app: string;
  readonly #clock: Clock;

  constructor(client: KafkaClient, admin: KafkaAdmin, app: string, clock: Clock = systemClock) {
    this.#client = client;
    this.#admin = admin;
    this.#app = app;
    this.#clock = clock;
  }

  /** Makes the topic where it is missing. */
  async open(limits: TopicLimits = {}): Promise<void> {
    const config = topicConfig('ledger', limits);
    await this.#admin.ensureTopics([{ name: replaysTopicOf(this.#app), partitions: 1, config }]);
  }

  /** All plans that were not dropped, by id. None where there is no topic yet. */
  async read(): Promise<Map<string, ReplayPlan>> {
    const tp = { topic: replaysTopicOf(this.#app), partition: 0 };
    const plans = new Map<string, ReplayPlan>();
    if (!(await this.#admin.partitionCounts([tp.topic])).has(tp.topic)) return plans;
    const [range] = await this.#admin.offsets([tp], { committed: false });
    const { start = 0n, end = 0n } = range ?? {};
    const reader = await this.#client.reader({ committed: true });
    const cursor = new RecordCursor();
    const until = this.#clock.now() + DEADLINE_MS;
    try {
      reader.seek(tp, start);
      for (let position = start; position < end;) {
        if (this.#clock.now() > until) throw new RetriableError('SLC_BROKER_AWAY', `${tp.topic} could not be read`);
        for (const fetched of await reader.poll(POLL_MS)) {
          for (const batch of fetched.batches) {
            cursor.open(batch);
            while (cursor.next()) take(plans, cursor.keyBytes(), cursor.valueBytes());
          }
          position = fetched.nextOffset;
        }
      }
    } finally {
      await reader.close();
    }
    return plans;
  }

  /** Keeps a plan; the newest of an id counts. */
  async write(plan: ReplayPlan): Promise<void> {
    await this.#append(plan.id, encoder.encode(planToText(plan)));
  }

  /** Forgets it. */
  async drop(id: string): Promise<void> {
    await this.#append(id, null);
  }

  async #append(id: string, value: Uint8Array | null): Promise<void> {
    const producer = await this.#client.producer({ transactionalId: `${this.#app}-replays` });
    try {
      const batch = new BatchBuilder();
      batch.append(encoder.encode(id), value, this.#clock.now());
      await producer.fence();
      await producer.begin();
      await producer.send([{ topic: replaysTopicOf(this.#app), partition: 0, batch }]);
      await producer.commit();
    } finally {
      await producer.close();
    }
  }
}

function take(plans: Map<string, ReplayPlan>, key: Buffer | null, value: Buffer | null): void {
  const id = key?.toString('utf8') ?? '';
  if (value === null) plans.delete(id);
  else plans.set(id, planFromText(value));
}
