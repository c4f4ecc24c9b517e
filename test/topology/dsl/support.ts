/** What the tests of stages share: values as JSON, topics of a few types, times as small numbers. */
import {
  type Duration,
  keyBy,
  type KStream,
  type OriginClock,
  originTopic,
  RecordError,
  type Schema,
  type SerdeFactory,
  type Stage,
  type Topic,
  topic,
  type WindowKey,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Values as JSON; bigint as text with an n. Bytes `broken` cannot be read, a value with `unwritable` cannot be written. */
export const jsonSerdes: SerdeFactory = {
  open: <T>(subject: string, _schema: Schema<T>) =>
    Promise.resolve({
      serialize: (value: T) => {
        if (typeof value === 'object' && value !== null && 'unwritable' in value) {
          throw new RecordError('SLC_RECORD_ENCODE', `${subject} cannot hold it`);
        }
        return encoder.encode(JSON.stringify(value, (_key, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)));
      },
      deserialize: (bytes: Uint8Array) => {
        const text = decoder.decode(bytes);
        if (text === '"broken"') throw new RecordError('SLC_RECORD_DECODE', `${subject} cannot read it`);
        return JSON.parse(text, (_key, v: unknown) =>
          typeof v === 'string' && /^-?\d+n$/.test(v) ? BigInt(v.slice(0, -1)) : v,
        ) as T;
      },
    }),
};

/** Confluent's framing, with some id. */
export const FRAME: Buffer = Buffer.from([0, 0, 0, 0, 1]);

/** `jsonSerdes` behind Confluent's framing: values cross repartition topics as their bytes. What has no frame is read, too. */
export const framedSerdes: SerdeFactory = {
  open: async (subject, schema_, use) => {
    const json = await jsonSerdes.open(subject, schema_, use);
    return {
      serialize: (value) => Buffer.concat([FRAME, json.serialize(value)]),
      deserialize: (bytes) => json.deserialize(bytes[0] === 0 ? bytes.subarray(FRAME.length) : bytes),
    };
  },
};

const schema = <T>(name: string): Schema<T> => ({ name, definition: {} });

/** An origin topic of values V, by default 10 s of outOfOrderness. */
export const origin = <V>(
  name: string,
  partitions = 1,
  clock: Partial<OriginClock<V>> = {},
  outOfOrderness: Duration = '10s',
): Topic<string, V> => {
  const { receivedAt, isSnapshot } = clock;
  return originTopic<V>(name, {
    value: schema(name),
    partitions,
    outOfOrderness,
    ...(receivedAt === undefined ? {} : { receivedAt }),
    ...(isSnapshot === undefined ? {} : { isSnapshot }),
  });
};

/** A derived topic of values V. */
export const derived = <V>(name: string, partitions = 1): Topic<string, V> =>
  topic<V>(name, { value: schema(name), partitions });

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

/** A sale, its topic, and where the tests look for results. */
export interface Sale {
  readonly shop: string;
  readonly amount: number;
}
export const sales = origin<Sale>('sales', 2);
export const out = derived<unknown>('out', 2);

export const driverOf = (...stages: Stage[]): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages, serdes: framedSerdes });

/** A window as text: key@start, in seconds. */
export const text = (start: number, key: string): string => `${key}@${start / SECOND}`;
export const named = <V>(windows: KStream<WindowKey<string>, V>): KStream<string, V> =>
  windows.pipe(keyBy((r) => text(r.key.start, r.key.key)));

/** Rows `key value` of a topic, sorted. */
export async function rows(driver: TopologyTestDriver): Promise<string[]> {
  return (await driver.output(out)).map(({ key, value }) => `${String(key)} ${JSON.stringify(value)}`).sort();
}
