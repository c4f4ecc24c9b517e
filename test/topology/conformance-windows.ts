/** The topologies of the conformance cases that window and join streams; test/conformance/README.md tells the format. */
import {
  aggregate,
  count,
  hopping,
  keyBy,
  type KStream,
  mapValues,
  originTopic,
  reduce,
  session,
  sliding,
  streamJoin,
  untilWindowCloses,
  type Schema,
  stage,
  type Stage,
  type StageBuilder,
  topic,
  type Topic,
  tumbling,
  windowedBy,
  type WindowKey,
  type Windows,
} from '#topology';

/** Topics of one case, one partition each; the same name gives the same topic. */
export interface CaseTopics {
  readonly in: (name: string) => Topic<string, string>;
  /** Writes a stream to an output topic, key and value as the tables print them. */
  readonly out: (name: string, stream: KStream<unknown, string | number | null>) => void;
}

/** Builds the topology of one case. */
export type CaseTopology = (s: StageBuilder, topics: CaseTopics) => void;

const schema = (name: string): Schema<string> => ({ name, definition: {} });

export const inputOf = (name: string): Topic<string, string> =>
  originTopic<string>(name, { value: schema(name), partitions: 1, outOfOrderness: '0ms' });
export const outputOf = (name: string): Topic<string, string> =>
  topic<string>(`out.${name}`, { value: schema(name), partitions: 1 });

/** A stage of a case, every output topic declared by its name. */
export function caseStage(build: CaseTopology): Stage {
  return stage('case', (s) => {
    build(s, {
      in: inputOf,
      out: (name, stream) =>
        stream
          .pipe(
            mapValues((value) => (value === null ? null : String(value))),
            keyBy((r) => JSON.stringify(printed(r.key))),
          )
          .to(outputOf(name)),
    });
  });
}

function printed(key: unknown): string | null {
  if (key === null || key === undefined) return null;
  if (typeof key !== 'object') return key as string;
  const { key: of, start, end } = key as WindowKey<string>;
  return `[${of}@${start}/${end}]`;
}

const append = (text: string, value: string): string => `${text}+${value}`;
const expired = hopping({ size: '10ms', advance: '5ms', grace: '90ms' });

const pair = (left: string, right: string | null): string => `${left}-${right}`;
const wide = { within: '10s', grace: '24h' } as const;

/** A count: every update, and what suppress lets through when a window closes. */
function updatesAndFinals(windows: Windows): CaseTopology {
  return (s, { in: input, out }) => {
    const table = s.stream(input('in')).pipe(windowedBy(windows), count({ store: 'count', emit: 'updates' }));
    out('raw', table.toStream());
    out('final', table.suppress({ store: 'final', until: untilWindowCloses() }).toStream());
  };
}

/** By case id. */
export const windowCases: Readonly<Record<string, CaseTopology>> = {
  '01-tumbling-final': updatesAndFinals(tumbling({ size: '2ms', grace: '1ms' })),
  '06-sliding-final': updatesAndFinals(sliding({ difference: '5ms', grace: '15ms' })),
  '08-session-final': updatesAndFinals(session({ gap: '5ms', grace: '0ms' })),
  '09-session-bridge': updatesAndFinals(session({ gap: '10ms', grace: '100ms' })),
  '03-hopping-out-of-order': (s, { in: input, out }) => {
    const windows = hopping({ size: '10ms', advance: '5ms', grace: '100ms' });
    const table = s.stream(input('in')).pipe(
      windowedBy(windows),
      aggregate(() => '0', append, { store: 'agg', emit: 'updates' }),
    );
    out('raw', table.toStream());
  },
  '04-hopping-expired-onupdate': (s, { in: input, out }) => {
    const table = s.stream(input('in')).pipe(
      windowedBy(expired),
      aggregate(() => '', append, { store: 'agg', emit: 'updates' }),
    );
    out('raw', table.toStream());
  },
  '04-hopping-expired-onclose': (s, { in: input, out }) => {
    out(
      'raw',
      s.stream(input('in')).pipe(
        windowedBy(expired),
        aggregate(() => '', append, { store: 'agg' }),
      ),
    );
  },
  '11-ss-inner': (s, { in: input, out }) => {
    const options = { ...wide, store: 'join', join: 'inner' } as const;
    out('out', s.stream(input('left')).pipe(streamJoin(s.stream(input('right')), pair, options)));
  },
  '12-ss-left-null': (s, { in: input, out }) => {
    const options = { ...wide, store: 'join', join: 'left' } as const;
    out('out', s.stream(input('left')).pipe(streamJoin(s.stream(input('right')), pair, options)));
  },
  '15-ss-asym-after': (s, { in: input, out }) => {
    const within = { before: '0ms', after: '100ms' } as const;
    const options = { within, grace: '0ms', store: 'join', join: 'inner' } as const;
    out('out', s.stream(input('left')).pipe(streamJoin(s.stream(input('right')), pair, options)));
  },
  '25-nulls-count-reduce': (s, { in: input, out }) => {
    const stream = s.stream(input('in'));
    out('count', stream.pipe(count({ store: 'count' })).toStream());
    out('reduce', stream.pipe(reduce((x, y) => append(x, y), { store: 'reduce' })).toStream());
    out('agg', stream.pipe(aggregate(() => '0', append, { store: 'agg' })).toStream());
  },
  '30-stream-time-two-topics': (s, { in: input, out }) => {
    const both = s.stream(input('t1')).merge(s.stream(input('t2')));
    const windows = tumbling({ size: '10ms', grace: '0ms' });
    out('raw', both.pipe(windowedBy(windows), count({ store: 'count', emit: 'updates' })).toStream());
  },
};
