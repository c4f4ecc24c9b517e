/** The shop's machines: each is busier or less busy than a moment ago, and now and then much busier. */
import type { BronzeOpsSystemLoad } from '#schemas';
import type { Random } from './random.ts';

type Sample = Pick<BronzeOpsSystemLoad, 'host' | 'cpuPermille' | 'memoryPermille'>;

const NAMES = ['web-1', 'web-2', 'db-1', 'Queue-1'] as const;
const FULL = 1_000;
const BUSY = 0.05;

export class HostSource {
  readonly #random: Random;
  readonly #hosts = NAMES.map((name) => ({ name, cpu: 300, memory: 500 }));

  constructor(random: Random) {
    this.#random = random;
  }

  /** A sample of one of them. */
  next(): Sample {
    const random = this.#random;
    const host = this.#hosts[random.int(0, this.#hosts.length - 1)];
    const [cpu, memory] = [random.int(-80, 80), random.int(-20, 20)];
    const isBusy = random.chance(BUSY);
    if (host === undefined) return { host: NAMES[0], cpuPermille: 0, memoryPermille: 0 };
    host.cpu = within(isBusy ? 950 + cpu : host.cpu + cpu);
    host.memory = within(host.memory + memory);
    return { host: host.name, cpuPermille: host.cpu, memoryPermille: host.memory };
  }
}

function within(permille: number): number {
  return Math.min(FULL, Math.max(0, permille));
}
