/** DescribeLogDirs (Kafka's API 35), which kafkajs does not have: what partitions take on a broker's disk. */
import type { TopicPartition } from '../record.ts';
import { leadersOf } from './connection.ts';
import type { Cluster } from './load.ts';
import { requireKafkajs } from './patches/replace-module.ts';

const API_KEY = 35;
const API_VERSION = 1;
/** In place of a list of topics: all that the broker has. */
const ALL = -1;

interface Encoder {
  writeInt32(value: number): Encoder;
}

interface Decoder {
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readString(): string;
  readArray<T>(read: (decoder: Decoder) => T): T[];
}

interface LogDir {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly bytes: number; readonly moving: boolean }[];
  }[];
}

/** Bytes by `<topic>/<partition>`, as the leader has them. A directory that the broker cannot read is left out. */
export async function logSizes(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const [nodeId, byTopic] of leadersOf(cluster, partitions)) {
    const broker = await cluster.findBroker({ nodeId });
    const dirs = await broker.connectionPool.send<LogDir[]>({
      request: describeLogDirs(),
      response: { decode, parse },
    });
    for (const { topic, partitions: held } of dirs.flatMap((dir) => dir.topics)) {
      const led = byTopic.get(topic);
      for (const { partition, bytes, moving } of held) {
        if (led?.includes(partition) === true && !moving) sizes.set(`${topic}/${partition}`, bytes);
      }
    }
  }
  return sizes;
}

function describeLogDirs(): object {
  const NewEncoder = requireKafkajs('kafkajs/src/protocol/encoder') as new () => Encoder;
  return {
    apiKey: API_KEY,
    apiVersion: API_VERSION,
    apiName: 'DescribeLogDirs',
    encode: () => Promise.resolve(new NewEncoder().writeInt32(ALL)),
  };
}

/**
 * throttle_time_ms INT32, results => error_code INT16, log_dir STRING, topics => name STRING,
 * partitions => partition INT32, size INT64, offset_lag INT64, is_future BOOLEAN
 */
function decode(payload: Buffer): Promise<LogDir[]> {
  const NewDecoder = requireKafkajs('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => Decoder;
  const decoder = new NewDecoder(payload);
  decoder.readInt32();
  return Promise.resolve(
    decoder.readArray((dir) => {
      dir.readInt16();
      dir.readString();
      return {
        topics: dir.readArray((each) => ({
          topic: each.readString(),
          partitions: each.readArray((one) => {
            const partition = one.readInt32();
            const bytes = Number(one.readInt64().toString());
            one.readInt64();
            return { partition, bytes, moving: one.readInt8() !== 0 };
          }),
        })),
      };
    }),
  );
}

/** What is kafkajs's second step: here the answer is as it should be already. */
function parse(dirs: LogDir[]): Promise<LogDir[]> {
  return Promise.resolve(dirs);
}
