import type { Sink } from '../connector.ts';
import type { Topic } from '../topic.ts';

/** What a sink stage needs to know of a topic: a `Topic` of any key and value. */
export type SinkTopic = Pick<Topic<unknown, unknown>, 'name' | 'key' | 'value' | 'partitions'>;

/** A stage that carries topics to a target. It is a consumer group of its own, `<app>.sink.<name>`; its dead letters are `sink.<name>.dlq`. */
export interface SinkStage {
  readonly name: string;
  readonly topics: readonly SinkTopic[];
  readonly sink: Sink;
}
