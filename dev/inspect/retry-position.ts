/**
 * What of a dead-letter partition has been retried: everything before an offset, and beyond it single runs of letters (when only some stages or codes
 * were retried). It is one committed position of a consumer group: the offset, and the runs in its metadata as `1:first-last,...` in base 36, counted
 * from the offset.
 */
import { SluiceError } from '#topology';

/** Kafka takes 4096 bytes of metadata (offset.metadata.max.bytes). */
const MAX_METADATA = 4_000;
const FORMAT = '1:';

/** A run of letters that were retried: first and last offset. What lies between them and is no such letter needs no retry. */
interface Run {
  readonly first: bigint;
  last: bigint;
}

/** Retried letters of one partition. Letters are told to it in the order of their offsets. */
export class RetryPosition {
  #runs: Run[];
  #offset: bigint;

  /** `metadata` null or empty: nothing beyond the offset. SluiceError SLC_DLQ_POSITION when it is of another kind. */
  constructor(offset: bigint, metadata: string | null) {
    this.#offset = offset;
    this.#runs = metadata === null || metadata === '' ? [] : parse(metadata, offset);
  }

  /** Everything before it is retried. */
  get offset(): bigint {
    return this.#offset;
  }

  isDone(offset: bigint): boolean {
    return offset < this.#offset || this.#runs.some(({ first, last }) => first <= offset && offset <= last);
  }

  /**
   * Letters that are now done. `order`: the offsets of all letters of the partition from the position on that can be retried at all, so that it is known
   * which of the done ones lie side by side.
   */
  done(offsets: ReadonlySet<bigint>, order: readonly bigint[]): void {
    const runs: Run[] = [];
    let run: Run | undefined;
    let first = true;
    let offset = this.#offset;
    for (const each of order) {
      if (!this.isDone(each) && !offsets.has(each)) {
        run = undefined;
        first = false;
        continue;
      }
      if (first) offset = each + 1n;
      else if (run === undefined) runs.push((run = { first: each, last: each }));
      else run.last = each;
    }
    // What lies beyond the letters that were looked at stays as it was; a run that begins among them goes on.
    const last = order.at(-1) ?? this.#offset - 1n;
    for (const old of this.#runs) {
      if (old.last <= last) continue;
      if (old.first > last) runs.push(old);
      else if (run !== undefined) run.last = old.last;
      else if (first) offset = old.last + 1n;
    }
    if (offset > this.#offset) this.#offset = offset;
    this.#runs = runs;
  }

  /** Its metadata. SluiceError SLC_DLQ_GAPS when there are more runs than it can hold. */
  metadata(): string {
    if (this.#runs.length === 0) return '';
    const from = this.#offset;
    const texts = this.#runs.map(({ first, last }) => {
      const begin = (first - from).toString(36);
      return first === last ? begin : `${begin}-${(last - from).toString(36)}`;
    });
    const text = FORMAT + texts.join(',');
    if (text.length <= MAX_METADATA) return text;
    throw new SluiceError('SLC_DLQ_GAPS', 'too many letters between the retried ones were left out to be remembered', {
      hint: 'retry those first: without --stage, --code and --offset, or with fewer letters at a time (--limit)',
    });
  }
}

function parse(metadata: string, from: bigint): Run[] {
  if (!/^1:[0-9a-z]+(-[0-9a-z]+)?(,[0-9a-z]+(-[0-9a-z]+)?)*$/.test(metadata)) {
    throw new SluiceError('SLC_DLQ_POSITION', `a retry position holds ${JSON.stringify(metadata.slice(0, 40))}`, {
      hint: 'another or a newer program commits to this group; its positions must be removed before letters are retried',
    });
  }
  return metadata
    .slice(FORMAT.length)
    .split(',')
    .map((text) => {
      const [first = '', last = first] = text.split('-');
      return { first: from + parse36(first), last: from + parse36(last) };
    });
}

function parse36(text: string): bigint {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}
