import type { TopicPartition } from '../record.ts';

/** Where a partition is being read. */
export interface FetchPosition {
  readonly tp: TopicPartition;
  /** undefined until the first offset kept has been asked for. */
  offset: bigint | undefined;
  paused: boolean;
  /** Has been handed over at least once since the seek. */
  reported: boolean;
  /** How often in a row its bytes could not be read. */
  unreadable: number;
  /** The broker that leads the partition; undefined when it must be looked up. */
  leader: string | undefined;
}

/** Positions of a reader. A seek makes a new one: what was fetched for the old one is recognised by it and dropped. */
export class FetchPositions {
  readonly #positions = new Map<string, FetchPosition>();

  seek(tp: TopicPartition, offset: bigint | 'earliest'): void {
    const paused = this.get(tp)?.paused ?? false;
    this.#positions.set(keyOf(tp), {
      tp: { topic: tp.topic, partition: tp.partition },
      offset: offset === 'earliest' ? undefined : offset,
      paused,
      reported: false,
      unreadable: 0,
      leader: undefined,
    });
  }

  remove(tp: TopicPartition): void {
    this.#positions.delete(keyOf(tp));
  }

  setPaused(tp: TopicPartition, paused: boolean): void {
    const position = this.get(tp);
    if (position !== undefined) position.paused = paused;
  }

  get(tp: TopicPartition): FetchPosition | undefined {
    return this.#positions.get(keyOf(tp));
  }

  /** Is this position still the one of its partition? */
  holds(position: FetchPosition): boolean {
    return this.get(position.tp) === position;
  }

  get size(): number {
    return this.#positions.size;
  }

  /** Not paused. */
  readable(): FetchPosition[] {
    return [...this.#positions.values()].filter(({ paused }) => !paused);
  }

  /** Brokers have moved. */
  forgetLeaders(): void {
    for (const position of this.#positions.values()) position.leader = undefined;
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
