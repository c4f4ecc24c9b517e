import type { Consumer, Kafka } from 'kafkajs';
import type { GroupMembership, JoinOptions } from '../runtime/kafka-client.ts';
import { slotAssigner } from './assignor.ts';
import { asPort } from './errors.ts';
import { QUICK_RETRY } from './load.ts';

const HEARTBEATS_PER_SESSION = 10;
/** How long kafkajs's loop sleeps when all is paused: the answer to a heartbeat or to `leave` may take this long. */
const LOOP_MS = 100;
const REBALANCE_TIMEOUT_MS = 30_000;

/**
 * kafkajs joins again on its own only when the broker says so in its answer to a heartbeat; it has no call for it. Thrown while it tells of such an answer,
 * this looks the same to it.
 */
class JoinAgain extends Error {
  readonly type = 'REBALANCE_IN_PROGRESS';

  constructor() {
    super('this member has copies of what is to be its own');
  }
}

/**
 * A membership over kafkajs's consumer, which joins, sends heartbeats and joins again after rebalances. It never reads: every partition is paused as
 * soon as it is assigned.
 */
export class KafkajsMembership implements GroupMembership {
  readonly #consumer: Consumer;
  readonly #options: JoinOptions;
  #assigned: readonly number[] = [];
  #otherEpochs: readonly string[] = [];
  #left = false;
  #isToJoinAgain = false;
  #confirmations: (() => void)[] = [];

  private constructor(kafka: Kafka, options: JoinOptions) {
    this.#options = options;
    this.#consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: options.sessionTimeoutMs / HEARTBEATS_PER_SESSION,
      maxWaitTimeInMs: LOOP_MS,
      allowAutoTopicCreation: false,
      retry: { ...QUICK_RETRY, restartOnFailure: () => Promise.resolve(false) },
      partitionAssigners: [
        slotAssigner({
          epoch: options.epoch,
          owned: () => this.#assigned,
          standby: options.standby,
          onOtherEpochs: (epochs) => (this.#otherEpochs = epochs),
        }),
      ],
    });
  }

  /** Resolves after the first assignment. */
  static async join(kafka: Kafka, options: JoinOptions): Promise<KafkajsMembership> {
    const membership = new KafkajsMembership(kafka, options);
    try {
      await asPort(`joining group ${options.group}`, () => membership.#start());
    } catch (error) {
      membership.#left = true;
      await membership.#consumer.disconnect().catch(() => undefined);
      throw error;
    }
    return membership;
  }

  get assigned(): readonly number[] {
    return this.#assigned;
  }

  confirmed(): Promise<void> {
    return new Promise((resolve) => this.#confirmations.push(resolve));
  }

  again(): void {
    this.#isToJoinAgain = true;
  }

  async leave(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    this.#left = true;
    await this.#consumer.disconnect().catch(() => undefined);
  }

  async #start(): Promise<void> {
    const { topics } = this.#options;
    let joined = false;
    let crashed: Error | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#consumer.on(this.#consumer.events.GROUP_JOIN, ({ payload }) => {
        this.#consumer.pause(topics.map((topic) => ({ topic })));
        this.#isToJoinAgain = false;
        this.#take(payload.memberAssignment, payload.memberId);
        joined = true;
        resolve();
      });
      this.#consumer.on(this.#consumer.events.HEARTBEAT, () => {
        for (const confirm of this.#confirmations.splice(0)) confirm();
        if (this.#isToJoinAgain) throw new JoinAgain();
      });
      this.#consumer.on(this.#consumer.events.CRASH, ({ payload }) => {
        crashed = payload.error;
        reject(crashed);
        // kafkajs reports once more when it is told to leave while it crashes.
        if (!joined || this.#left) return;
        this.#left = true;
        this.#options.onLost(crashed);
      });
      this.#run().catch(reject);
    });
  }

  async #run(): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    await this.#consumer.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
  }

  #take(assignment: Readonly<Record<string, readonly number[]>>, memberId: string): void {
    if (this.#left) return;
    this.#assigned = [...new Set(Object.values(assignment).flat())].toSorted((a, b) => a - b);
    this.#options.onAssigned(this.#assigned, { otherEpochs: this.#otherEpochs, memberId });
  }
}
