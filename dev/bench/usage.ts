/** What processes use, from /proc: CPU and memory of whole process trees. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;

interface Stat {
  readonly parent: number;
  readonly cpu: number;
  readonly rss: number;
}

/** CPU-seconds and resident bytes of one process; undefined when it has ended. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name, in parentheses, may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    const cpu = ((fields[11] ?? 0) + (fields[12] ?? 0)) / TICKS_PER_SECOND;
    return { parent, cpu, rss: (fields[21] ?? 0) * PAGE_BYTES };
  } catch {
    return undefined;
  }
}

/** Process ids of the trees below `roots`. */
function treeOf(roots: readonly number[]): Set<number> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat !== undefined) children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const tree = new Set(roots);
  for (const pid of tree) for (const child of children.get(pid) ?? []) tree.add(child);
  return tree;
}

/** Sums over process trees, as they grow; what a process used before it ended counts. */
export class TreeUsage {
  readonly #roots: readonly number[];
  readonly #cpu = new Map<number, number>();
  #pids = new Set<number>();
  #samples = 0;
  peakRss = 0;

  constructor(roots: readonly number[]) {
    this.#roots = roots;
  }

  /** CPU-seconds so far. */
  sample(): number {
    if (this.#samples++ % 5 === 0) this.#pids = treeOf(this.#roots);
    let rss = 0;
    for (const pid of this.#pids) {
      const stat = statOf(pid);
      if (stat === undefined) continue;
      this.#cpu.set(pid, stat.cpu);
      rss += stat.rss;
    }
    this.peakRss = Math.max(this.peakRss, rss);
    return this.#cpu.values().reduce((sum, cpu) => sum + cpu, 0);
  }
}

/** CPU-seconds of one process. */
export const cpuOf = (pid: number): number => statOf(pid)?.cpu ?? 0;

/** Load average of the last minute. */
export const loadNow = (): number => Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]);
