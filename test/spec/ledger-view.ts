/** What a task remembers of the ledger: memory only, read at any lag, and compacted after a crash. */
import type { Random } from '#topology/testing';
import type { Entry, Rules } from './model.ts';
import { ADDED, WRITERS } from './stages.ts';

interface Writer {
  m: number;
  readonly wait: Entry[];
}

export class LedgerView {
  readonly #topics: readonly string[];
  readonly #rules: Rules;
  readonly #writers = new Map<string, Writer>();
  /** What lies before is read compacted. */
  readonly #compactedTo: number;
  #position = 0;

  constructor(topics: readonly string[], rules: Rules, compactedTo = -1) {
    this.#topics = topics;
    this.#rules = rules;
    this.#compactedTo = compactedTo;
  }

  /** Reads on, to the end or by a random step; true when it moved. */
  read(ledger: readonly Entry[], g: Random, all: boolean): boolean {
    const from = this.#position;
    const to = all ? ledger.length : g.int(from, ledger.length);
    for (let i = from; i < to; i++) {
      const entry = ledger[i];
      if (entry === undefined || !this.#topics.includes(entry.topic) || this.#isGone(ledger, entry, i)) continue;
      const writer = this.#writers.get(entry.writer) ?? { m: -Infinity, wait: [] };
      this.#writers.set(entry.writer, writer);
      writer.wait.push(entry);
    }
    this.#position = to;
    return to > from;
  }

  #isGone(ledger: readonly Entry[], entry: Entry, i: number): boolean {
    if (i >= this.#compactedTo || (entry.join === true && this.#rules.joinEntry === 'kept')) return false;
    return ledger.some((later, j) => j > i && j < this.#compactedTo && later.writer === entry.writer);
  }

  /** The newest promise of a writer whose end is passed. */
  promiseOf(writer: string | undefined): number {
    return this.#writers.get(writer ?? '')?.m ?? -Infinity;
  }

  /** RULE 8: the minimum over all writers of the topic. `addedLater`: the writer that comes in mid-run is known by its join entry only. */
  watermark(
    topic: string,
    { partition, position, addedLater }: { partition: number; position: number; addedLater: boolean },
  ): number {
    let M = Infinity;
    for (const name of WRITERS[topic] ?? []) {
      const writer = this.#writers.get(name);
      if (writer === undefined) {
        if (this.#rules.roster && !(name === ADDED && addedLater)) M = -Infinity;
        continue;
      }
      for (let next = writer.wait[0]; next !== undefined; next = writer.wait[0]) {
        if (this.#rules.endOffset && (next.end[partition] ?? 0) > position) break;
        writer.m = Math.max(writer.m, next.m);
        writer.wait.shift();
      }
      M = Math.min(M, writer.m);
    }
    return M === Infinity ? -Infinity : M;
  }
}
