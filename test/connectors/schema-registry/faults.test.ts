/** What the registry does when Kafka fails it, modes, references, and that a new start gives the same answers. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { FakeKafka } from '#topology/testing';
import { type RunningRegistry, startSchemaRegistry } from '../../../connectors/schema-registry/index.ts';
import { randomOf } from '../../random.ts';

const logger = pino({ level: 'silent' });

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function start(t: TestContext, broker: FakeKafka): Promise<RunningRegistry> {
  const registry = await startSchemaRegistry({ client: broker.client(), logger, port: 0 });
  t.after(() => registry.stop());
  return registry;
}

async function call(registry: RunningRegistry, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${registry.port}${path}`, {
    method,
    headers: { 'content-type': 'application/json', connection: 'close' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const record = (name: string, ...fields: object[]): string => JSON.stringify({ type: 'record', name, fields });
const field = (name: string, type: unknown = 'int'): object => ({ name, type, default: 0 });
const versions = (subject: string): string => `/subjects/${subject}/versions`;

test('Kafka away: reads go on, writes say 50001, and go on by themselves afterwards', async (t) => {
  const broker = new FakeKafka();
  const registry = await start(t, broker);
  const { body } = await call(registry, 'POST', versions('a'), { schema: record('A') });
  broker.away = true;
  const refused = await call(registry, 'POST', versions('a'), { schema: record('A', field('x')) });
  assert.deepEqual([refused.status, refused.body['error_code']], [500, 50_001]);
  assert.equal((await call(registry, 'GET', `/schemas/ids/${Number(body['id'])}`)).status, 200);
  assert.deepEqual((await call(registry, 'POST', '/subjects/a', { schema: record('A') })).body['id'], body['id']);
  broker.away = false;
  const taken = await call(registry, 'POST', versions('a'), { schema: record('A', field('x')) });
  assert.deepEqual([taken.status, taken.body], [200, { id: 2 }]);
});

test('its transactional id taken over by something that has gone: the next write goes through', async (t) => {
  const broker = new FakeKafka();
  const registry = await start(t, broker);
  broker.initProducer('sluice-registry-_schemas');
  assert.equal((await call(registry, 'POST', versions('a'), { schema: record('A') })).status, 200);
});

test('a topic cut or made anew under it: it stops serving and says so', async (t) => {
  const broker = new FakeKafka();
  const registry = await start(t, broker);
  await call(registry, 'POST', versions('a'), { schema: record('A') });
  const admin = await broker.client().admin();
  await admin.deleteTopics(['_schemas']);
  await admin.ensureTopics([{ name: '_schemas', partitions: 1 }]);
  assert.equal((await registry.lost).code, 'SLC_TASK_OFFSET_OUT_OF_RANGE');
  assert.equal((await call(registry, 'GET', '/subjects')).status, 503);
});

test('modes: READONLY refuses new schemas and deletes, not known ones', async (t) => {
  const registry = await start(t, new FakeKafka());
  await call(registry, 'POST', versions('a'), { schema: record('A') });
  assert.equal((await call(registry, 'GET', '/mode/a')).body['error_code'], 40_409);
  assert.deepEqual((await call(registry, 'GET', '/mode/a?defaultToGlobal=true')).body, { mode: 'READWRITE' });
  assert.equal((await call(registry, 'PUT', '/mode/a', { mode: 'x' })).body['error_code'], 42_204);
  assert.deepEqual((await call(registry, 'PUT', '/mode/a', { mode: 'readonly' })).body, { mode: 'READONLY' });
  assert.equal((await call(registry, 'POST', versions('a'), { schema: record('A') })).status, 200);
  const refused = await call(registry, 'POST', versions('a'), { schema: record('A', field('x')) });
  assert.deepEqual([refused.status, refused.body['error_code']], [422, 42_205]);
  assert.equal((await call(registry, 'DELETE', '/subjects/a')).body['error_code'], 42_205);
  await call(registry, 'DELETE', '/mode/a');
  assert.deepEqual((await call(registry, 'DELETE', '/subjects/a')).body, [1]);
  assert.equal((await call(registry, 'DELETE', '/subjects/a')).body['error_code'], 40_404);
  assert.equal((await call(registry, 'DELETE', `${versions('a')}/1`)).body['error_code'], 40_406);
});

test('references: compiled with, listed, and not deleted while used', async (t) => {
  const registry = await start(t, new FakeKafka());
  await call(registry, 'POST', versions('used'), { schema: record('Used', field('x')) });
  const schema = record('User', { name: 'used', type: 'Used' });
  assert.equal((await call(registry, 'POST', versions('user'), { schema })).body['error_code'], 42_201);
  const references = [{ name: 'Used', subject: 'used', version: 1 }];
  const { body } = await call(registry, 'POST', versions('user'), { schema, references });
  assert.deepEqual((await call(registry, 'GET', `${versions('used')}/1/referencedby`)).body, [body['id']]);
  assert.equal((await call(registry, 'DELETE', '/subjects/used')).body['error_code'], 42_206);
  assert.deepEqual((await call(registry, 'GET', `${versions('user')}/1`)).body['references'], references);
});

test('each level: what it refuses', async (t) => {
  const registry = await start(t, new FakeKafka());
  // `added` reads old data but is not read by it; `dropped` the other way round.
  const [plain, added, dropped] = [['a', 'b'], ['a', 'b', 'c'], ['a']].map((names) =>
    record('R', ...names.map((name) => (name === 'c' || name === 'b' ? { name, type: 'int' } : field(name)))),
  );
  const expected: Readonly<Record<string, readonly boolean[]>> = {
    NONE: [true, true],
    BACKWARD: [false, true],
    FORWARD: [true, false],
    FULL: [false, false],
    BACKWARD_TRANSITIVE: [false, true],
    FORWARD_TRANSITIVE: [true, false],
    FULL_TRANSITIVE: [false, false],
  };
  await call(registry, 'POST', versions('r'), { schema: plain });
  for (const [level, answers] of Object.entries(expected)) {
    await call(registry, 'PUT', '/config/r', { compatibility: level });
    const asked = await Promise.all(
      [added, dropped].map((schema) => call(registry, 'POST', `/compatibility${versions('r')}`, { schema })),
    );
    assert.deepEqual(
      asked.map(({ body }) => body['is_compatible']),
      answers,
      level,
    );
  }
  const none = await call(registry, 'POST', `/compatibility${versions('none')}/latest`, { schema: plain });
  assert.deepEqual(none.body, { is_compatible: true });
});

test('a type named like a property of every object', async (t) => {
  const registry = await start(t, new FakeKafka());
  assert.equal((await call(registry, 'POST', versions('a'), { schema: record('constructor') })).status, 200);
});

test('any calls, then a new start: the same answers, and no id given out twice', async (t) => {
  const { random } = randomOf('schema registry');
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const broker = new FakeKafka();
  const registry = await start(t, broker);
  const byId = new Map<unknown, string>();
  for (let nth = 0; nth < 200; nth++) {
    const subject = pick(['a', 'b', 'c']);
    const [method, path, body] = pick<() => readonly [string, string, object?]>([
      () => ['POST', versions(subject), { schema: record('R', field(pick(['x', 'y', 'z'])), field('w')) }],
      () => ['POST', versions(subject), { schema: record('R', field(pick(['x', 'y', 'z']))) }],
      () => ['DELETE', `/subjects/${subject}?permanent=${random() < 0.5}`],
      () => ['DELETE', `${versions(subject)}/${pick(['latest', 1, 2])}?permanent=${random() < 0.5}`],
      () => ['PUT', `/config/${subject}`, { compatibility: pick(['NONE', 'FULL', 'FORWARD_TRANSITIVE']) }],
      () => ['DELETE', `/config/${subject}`],
      () => ['PUT', `/mode/${subject}`, { mode: pick(['READONLY', 'READWRITE', 'READWRITE']) }],
    ])();
    const answer = await call(registry, method, path, body);
    assert.ok(answer.status < 500, JSON.stringify(answer));
    if (method !== 'POST' || answer.status !== 200) continue;
    const { id } = answer.body;
    const { schema } = body as { schema: string };
    assert.equal(byId.get(id) ?? schema, schema, 'an id of another schema');
    byId.set(id, schema);
  }
  const again = await start(t, broker);
  const paths = [
    '/subjects?deleted=true',
    '/schemas?deleted=true',
    '/config',
    ...['a', 'b', 'c'].flatMap((name) => [`/config/${name}`, `/mode/${name}`, versions(name)]),
    ...[...byId.keys()].flatMap((id) => [`/schemas/ids/${String(id)}`, `/schemas/ids/${String(id)}/versions`]),
  ];
  for (const path of paths) {
    assert.deepEqual(await call(again, 'GET', path), await call(registry, 'GET', path), path);
  }
  const next = (from: RunningRegistry): Promise<Answer> =>
    call(from, 'POST', versions('new'), { schema: record('New', field('n')) });
  assert.ok(Number((await next(again)).body['id']) > Math.max(0, ...[...byId.keys()].map(Number)));
});
