// Compiled by `npm run check`, never run: each @ts-expect-error line must be an error, everything else must compile.
import { asOfJoin, keyBy, keyValueStore, type KStream, mapAsync, mapValues, matchSequence, process, type Schema, sessionStore, stage, streamJoin, topic, windowStore } from '#topology';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<B>() {
  return <A>(_: A, ok: Equal<A, B>): void => void ok;
}
interface Login {
  readonly user: number;
  readonly ok: boolean;
}
interface Alert {
  readonly user: number;
  readonly failures: number;
}
const schema = <T>(name: string): Schema<T> => ({ name, definition: {} });
const logins = topic('logins', { value: schema<Login>('logins') });
const alerts = topic('alerts', { value: schema<Alert>('alerts') });
const people = topic<{ name: string }, number>('people', { key: schema<number>('people-key'), value: schema<{ name: string }>('people') });
const stores = {
  counts: keyValueStore<string, number>('counts'),
  perMinute: windowStore<string, { n: number }>('per-minute', { size: '1m', retention: '1h' }),
  visits: sessionStore<string, bigint>('visits', { retention: '1h' }),
};
const limits = { concurrency: 4, timeout: '1s', retries: 1 } as const;
const pattern = { within: '1m', grace: '5s', store: 'steps' } as const;

export const types = stage('types', (s) => {
  const l = s.stream(logins);

  const found = l.pipe(
    process<string, Login, string, Alert, typeof stores>({ name: 'p', stores }, (context) => ({
      process: ({ key, value, timestamp }) => {
        const { counts, perMinute, visits } = context.stores;
        same<number | undefined>()(counts.get(key), true);
        same<{ n: number } | undefined>()(perMinute.get(key, timestamp), true);
        same<[number, { n: number }][]>()(perMinute.fetch(key, 0, timestamp), true);
        same<bigint | undefined>()(visits.find(key, 0, timestamp)[0]?.[1], true);
        counts.put(key, value.user);
        perMinute.put(key, timestamp, { n: 1 });
        visits.put({ key, start: timestamp, end: timestamp }, 1n);
        // @ts-expect-error the counts are numbers
        counts.put(key, 'one');
        // @ts-expect-error the counts are keyed by text
        counts.get(value.user);
        // @ts-expect-error a window needs its start
        perMinute.put(key, { n: 1 });
        // @ts-expect-error wrong field of what a window holds
        perMinute.put(key, timestamp, { m: 1 });
        // @ts-expect-error a session needs its bounds
        visits.put({ key }, 1n);
        // @ts-expect-error the visits are bigints
        visits.put({ key, start: 0, end: 0 }, 1);
        // @ts-expect-error no such store
        void context.stores.count;
        // @ts-expect-error wrong field of the record
        void value.userId;
        // @ts-expect-error what it forwards is an alert
        context.forward({ key, value, timestamp });
        // @ts-expect-error what it forwards is keyed by text
        context.forward({ key: value.user, value: { user: 1, failures: 1 }, timestamp });
        context.forward({ key, value: { user: value.user, failures: counts.get(key) ?? 0 }, timestamp });
      },
    })),
  );
  same<KStream<string, Alert>>()(found, true);
  found.to(alerts);
  // @ts-expect-error the stream is keyed by text, the processor by number
  l.pipe(process<number, Login, string, Alert>({ name: 'q' }, () => ({ process: () => undefined })));
  // @ts-expect-error the store has values of another type
  l.pipe(process<string, Login, string, Alert, { counts: typeof stores.visits }>({ name: 'q', stores }, () => ({ process: () => undefined })));
  // @ts-expect-error a retention is a duration with a unit
  windowStore<string, number>('x', { size: '1m', retention: '1 hour' });

  const steps = [{ where: (v: Login) => !v.ok, times: 3 }, { where: (v: Login, before: readonly Login[]) => v.ok && before.length === 3 }];
  const sequences = l.pipe(matchSequence({ ...pattern, steps }, (values, key) => ({ user: values.length, who: key })));
  same<KStream<string, { user: number; who: string }>>()(sequences, true);
  // @ts-expect-error wrong field in a step
  l.pipe(matchSequence({ ...pattern, steps: [{ where: (v) => v.okay }] }, (values) => values.length));
  // @ts-expect-error wrong field in the result
  l.pipe(matchSequence({ ...pattern, steps }, (values) => values[0]?.userId));
  // @ts-expect-error a sequence needs a store
  l.pipe(matchSequence({ within: '1m', grace: '5s', steps }, (values) => values.length));
  // @ts-expect-error the topic wants alerts
  sequences.to(alerts);

  const asked = l.pipe(mapAsync(async (value, key) => ({ user: value.user, failures: key.length }), limits));
  same<KStream<string, { user: number; failures: number }>>()(asked, true);
  asked.to(alerts);
  same<KStream<number, string>>()(l.pipe(keyBy((r) => r.value.user), mapAsync(async (_value, key) => key.toFixed(), limits)), true);
  // @ts-expect-error wrong field of what is asked
  l.pipe(mapAsync(async (value) => value.userId, limits));
  // @ts-expect-error wrong field of the answer
  l.pipe(mapAsync(async (value) => value.user, limits), mapValues((n) => n.user));
  // @ts-expect-error an answer is a promise
  l.pipe(mapAsync((value) => value.user, limits));
  // @ts-expect-error the number of retries is not to be guessed
  l.pipe(mapAsync(async (value) => value.user, { concurrency: 4, timeout: '1s' }));

  const names = s.table(people, { store: 'names' });
  const asOf = { grace: '0s', tableGrace: '0s', store: 'aj', join: 'left' } as const;
  const pairs = { within: '1m', grace: '5s', store: 'sj', join: 'inner' } as const;
  // @ts-expect-error key types differ behind process: text and number
  found.pipe(asOfJoin(names, (alert, row) => ({ alert, row }), asOf));
  // @ts-expect-error key types differ behind mapAsync: text and number
  asked.pipe(streamJoin(s.stream(people), (one, other) => ({ one, other }), pairs));
  // @ts-expect-error key types differ behind matchSequence: text and number
  sequences.pipe(streamJoin(s.stream(people), (one, other) => ({ one, other }), pairs));
  sequences.pipe(keyBy((r) => r.value.user), asOfJoin(names, (one, row) => ({ one, name: row?.name }), asOf));
});
