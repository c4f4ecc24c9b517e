/** A small application for the tests that kill it: counts per user and minute, then sums of these per minute. Runs in a process of its own. */
import { pino } from 'pino';
import {
  buildTopology,
  count,
  createKafkaClient,
  type KafkaClient,
  keyBy,
  mapValues,
  originTopic,
  type Parts,
  partTopology,
  type Schema,
  type SerdeFactory,
  SluiceError,
  stage,
  startStreamApp,
  sum,
  topic,
  tumbling,
  windowedBy,
} from '#topology';

export interface Click {
  readonly user: string;
}
export interface UserMinute {
  readonly user: string;
  readonly start: number;
  readonly clicks: number;
}
export interface Minute {
  readonly start: number;
  readonly clicks: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Values as JSON text. */
export const jsonSerdes: SerdeFactory = {
  open: <T>(_subject: string, _schema: Schema<T>) =>
    Promise.resolve({
      serialize: (value: T) => encoder.encode(JSON.stringify(value)),
      deserialize: (bytes: Uint8Array) => JSON.parse(decoder.decode(bytes)) as T,
    }),
};

const schema = <T>(name: string): Schema<T> => ({ name, definition: { type: 'record', name, fields: [] } });

/** Topics of the application with that name. */
export function clickTopics(app: string) {
  return {
    clicks: originTopic<Click>(`${app}.clicks`, { value: schema('Click'), outOfOrderness: '5s', maxAhead: '1h' }),
    users: topic<UserMinute>(`${app}.users`, { value: schema('UserMinute') }),
    minutes: topic<Minute>(`${app}.minutes`, { value: schema('Minute') }),
  };
}

/** Its stages; `parts`: which of them run as applications of their own. */
export function clickTopology(app: string, parts: Parts = {}) {
  const topics = clickTopics(app);
  const perUser = stage('users', (s) => {
    s.stream(topics.clicks)
      .pipe(
        keyBy((r) => r.value.user),
        windowedBy(tumbling({ size: '1m', grace: '10s' })),
        count({ store: 'users' }),
        mapValues((clicks, { key, start }): UserMinute => ({ user: key, start, clicks })),
        keyBy((r) => `${r.value.start}|${r.value.user}`),
      )
      .to(topics.users);
  });
  const perMinute = stage('minutes', (s) => {
    s.stream(topics.users)
      .pipe(
        keyBy((r) => String(r.value.start)),
        windowedBy(tumbling({ size: '1m', grace: '10s' })),
        sum((value) => value.clicks, { store: 'minutes' }),
        mapValues((clicks, { start }): Minute => ({ start, clicks })),
        keyBy((r) => String(r.value.start)),
      )
      .to(topics.minutes);
  });
  return buildTopology([perUser, perMinute], { app, parts });
}

/**
 * The defect that the freeze test must notice: transactional ids that belong to a process. A successor has another one, so nobody is fenced. There is no
 * way to ask the engine for that.
 */
function withIdPerProcess(client: KafkaClient): KafkaClient {
  return {
    admin: () => client.admin(),
    reader: (options) => client.reader(options),
    join: (options) => client.join(options),
    close: () => client.close(),
    producer: (options = {}) => {
      const { transactionalId } = options;
      return client.producer(
        transactionalId === undefined ? options : { ...options, transactionalId: `${transactionalId}-${process.pid}` },
      );
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const app = process.env['TEST_APP'] ?? '';
  const logger = pino({ level: process.env['SLUICE_LOG'] ?? 'warn' }, process.stderr);
  const real = createKafkaClient({ brokers: (process.env['TEST_KAFKA'] ?? '').split(','), clientId: app, logger });
  const client = process.env['TEST_ID_PER_PROCESS'] === undefined ? real : withIdPerProcess(real);
  const directory = process.env['TEST_STATE_DIR'];
  const parts = JSON.parse(process.env['TEST_PARTS'] ?? '{}') as Parts;
  const running = await startStreamApp({
    client,
    // A checkpoint every now and then, so that deaths come before and after them.
    ...(directory !== undefined && { state: { directory, checkpointMs: 2_000 } }),
    standby: Number(process.env['TEST_STANDBY'] ?? 0),
    topology: partTopology(clickTopology(app, parts), process.env['TEST_RUNS'] ?? app),
    serdes: jsonSerdes,
    logger,
    sessionTimeoutMs: Number(process.env['TEST_SESSION_MS'] ?? 6_000),
    options: { trimIntervalMs: Number(process.env['TEST_TRIM_MS'] ?? 30_000) },
    onFatal(error) {
      logger.fatal(
        { err: error, ...(error instanceof SluiceError && { code: error.code, hint: error.hint }) },
        'fatal',
      );
      process.exit(1);
    },
  });
  process.send?.({ type: 'ready' });
  setInterval(() => process.send?.({ type: 'stats', ...running.stats() }), 50);
  process.on('SIGTERM', () => {
    void running
      .stop()
      .then(() => client.close())
      .then(() => process.exit(0));
  });
}
