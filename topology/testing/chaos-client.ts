import type { Clock } from '../clock.ts';
import { RetriableError } from '../errors.ts';
import type { GroupMembership, JoinOptions, KafkaClient, ReaderOptions } from '../runtime/kafka-client.ts';
import type { Random } from './random.ts';

/** How bad the world is. */
export interface ChaosOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Chance that a call of a producer fails, 0 to 1: half of the commits that fail have been made. */
  readonly failures: number;
  /** Calls of producers and polls take up to so long, ms. */
  readonly delayMs: number;
}

type Call = () => unknown;

interface Membership {
  readonly membership: GroupMembership;
  readonly onLost: (error: Error) => void;
}

/** Calls that answer at once. */
const SYNCHRONOUS = new Set(['seek', 'remove', 'pause', 'resume']);
/** What an application does not hear of when it fails: it ends then anyway. */
const NEVER_FAILS = new Set(['close']);
const forever = new Promise<never>(() => undefined);

/**
 * A client through which an application sees seeded faults and delays, and by which it can be killed: from then on no call of it is answered, as when its
 * process is gone. What it has begun stays as it is: an open transaction is aborted by whoever takes the slot.
 */
export class ChaosClient implements KafkaClient {
  readonly #client: KafkaClient;
  readonly #options: ChaosOptions;
  readonly #memberships: Membership[] = [];
  #dead = false;
  #thaw: Promise<void> | undefined;
  /** No call fails while true. */
  isCalm = true;
  /** Calls that have failed. */
  failures = 0;

  constructor(client: KafkaClient, options: ChaosOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** The clock of the application: it stands still with it. */
  get clock(): Clock {
    const { clock } = this.#options;
    return {
      now: () => clock.now(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        await this.#alive();
      },
    };
  }

  /** Ends everything at once. The group forgets the member as after its session. */
  async kill(): Promise<void> {
    this.#dead = true;
    await Promise.all(this.#memberships.map(({ membership }) => membership.leave()));
  }

  /** Stands still for so long, ms. The group gives what it had to others, and it goes on without knowing for a while: as after a long pause of its process. */
  async freeze(ms: number): Promise<void> {
    const { clock } = this.#options;
    const lost = this.#memberships.splice(0);
    // Of two that overlap the longer one counts, for all of it: what woke earlier would see answers from before its slots were taken anew.
    this.#thaw = Promise.all([this.#thaw, clock.sleep(ms)]).then(() => undefined);
    await Promise.all(lost.map(({ membership }) => membership.leave()));
    void this.#wake(ms, lost);
  }

  async #wake(ms: number, lost: readonly Membership[]): Promise<void> {
    const { clock, random } = this.#options;
    await this.#thaw;
    await clock.sleep(random.int(0, ms));
    for (const { onLost } of lost) onLost(new Error('the session is over'));
  }

  async admin(): ReturnType<KafkaClient['admin']> {
    return this.#around(await this.#client.admin(), 'admin');
  }

  async producer(options?: Parameters<KafkaClient['producer']>[0]): ReturnType<KafkaClient['producer']> {
    return this.#around(await this.#client.producer(options), 'producer');
  }

  async reader(options: ReaderOptions): ReturnType<KafkaClient['reader']> {
    return this.#around(await this.#client.reader(options), 'reader');
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    await this.#alive();
    const onLost = (error: Error): void => {
      if (!this.#dead) options.onLost(error);
    };
    const membership = await this.#client.join({
      ...options,
      onLost,
      onAssigned: (partitions, info) => {
        if (!this.#dead) options.onAssigned(partitions, info);
      },
    });
    // Killed meanwhile: a member that nobody knows of would keep its partitions for ever.
    if (this.#dead) {
      await membership.leave();
      return await forever;
    }
    this.#memberships.push({ membership, onLost });
    return this.#around(membership, 'membership');
  }

  async close(): Promise<void> {
    await this.#alive();
    await this.#client.close();
  }

  /** Resolves while the application lives; never afterwards. */
  async #alive(): Promise<void> {
    for (let thaw: Promise<void> | undefined; thaw !== this.#thaw;) await (thaw = this.#thaw);
    if (this.#dead) await forever;
  }

  #around<T extends object>(target: T, kind: 'admin' | 'producer' | 'reader' | 'membership'): T {
    return new Proxy(target, {
      get: (inner, name): unknown => {
        // Of the object itself: private fields are not the proxy's.
        const member: unknown = Reflect.get(inner, name, inner);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(member, inner, args);
          if (SYNCHRONOUS.has(String(name))) return this.#dead ? undefined : call();
          return this.#through(kind === 'producer' && !NEVER_FAILS.has(String(name)), String(name), call);
        };
      },
    });
  }

  async #through(mayFail: boolean, name: string, call: Call): Promise<unknown> {
    const { clock, random, failures, delayMs } = this.#options;
    await this.#alive();
    if ((mayFail || name === 'poll') && delayMs > 0) {
      await clock.sleep(random.int(0, delayMs));
      await this.#alive();
    }
    const fails = mayFail && !this.isCalm && random.chance(failures);
    if (fails) this.failures++;
    if (fails && !(name === 'commit' && random.chance(0.5))) throw away(name);
    let answer: unknown;
    try {
      answer = await call();
    } catch (error) {
      await this.#alive();
      throw error;
    }
    await this.#alive();
    // The answer is lost, the commit is made.
    if (fails) throw away(name);
    return answer;
  }
}

function away(name: string): RetriableError {
  return new RetriableError('SLC_BROKER_AWAY', `${name}: the broker does not answer`);
}
