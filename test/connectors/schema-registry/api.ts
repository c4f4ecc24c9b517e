/** What the registry's API must do, over any broker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import type { KafkaClient } from '#topology';
import { type RunningRegistry, startSchemaRegistry } from '../../../connectors/schema-registry/index.ts';

const logger = pino({ level: 'silent' });

const user = (...fields: object[]): string => JSON.stringify({ type: 'record', name: 'User', fields });
const ID = { name: 'id', type: 'long' };
const NAME = { name: 'name', type: ['null', 'string'], default: null };

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function registryApi(name: string, makeClient: () => KafkaClient): void {
  describe(`schema registry on ${name}`, () => {
    const topic = `_schemas-${randomUUID().slice(0, 8)}`;
    let client: KafkaClient;
    let registry: RunningRegistry;

    before(async () => {
      client = makeClient();
      registry = await startSchemaRegistry({ client, logger, port: 0, topic });
    });
    after(async () => {
      await registry.stop();
      await client.close();
    });

    async function call(method: string, path: string, body?: unknown, port = registry.port): Promise<Answer> {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json', connection: 'close' },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    }
    const register = (subject: string, schema: string): Promise<Answer> =>
      call('POST', `/subjects/${encodeURIComponent(subject)}/versions`, { schema });
    const idOf = ({ body }: Answer): number => (body as { id: number }).id;
    const codeOf = ({ body }: Answer): number => (body as { error_code: number }).error_code;

    test('the same schema has one id, in any spelling and under any subject', async () => {
      const first = await register('a-value', user(ID));
      assert.equal(first.status, 200);
      const spelled = JSON.stringify({ fields: [{ type: 'long', name: 'id' }], name: 'User', type: 'record' });
      assert.deepEqual(await register('a-value', spelled), first);
      assert.deepEqual(await register('b/ü-value', user(ID)), first);
      const second = await register('a-value', user(ID, NAME));
      assert.ok(idOf(second) > idOf(first));
      assert.deepEqual((await call('GET', '/subjects/a-value/versions')).body, [1, 2]);
      assert.deepEqual(
        ((await call('GET', `/schemas/ids/${idOf(first)}`)).body as { schema: string }).schema,
        user(ID),
      );
      assert.deepEqual((await call('GET', `/schemas/ids/${idOf(first)}/subjects`)).body, ['a-value', 'b/ü-value']);
      assert.equal(((await call('GET', '/subjects/a-value/versions/latest')).body as { version: number }).version, 2);
      const found = await call('POST', '/subjects/a-value', { schema: user(ID) });
      assert.equal((found.body as { version: number }).version, 1);
    });

    test('a schema that cannot read the old data is refused, by the level of its subject', async () => {
      await register('c-value', user(ID));
      const required = user(ID, { name: 'mail', type: 'string' });
      const refused = await register('c-value', required);
      assert.deepEqual([refused.status, codeOf(refused)], [409, 409]);
      assert.match(JSON.stringify(refused.body), /version 1/);
      const asked = await call('POST', '/compatibility/subjects/c-value/versions/latest?verbose=true', {
        schema: required,
      });
      assert.equal((asked.body as { is_compatible: boolean }).is_compatible, false);
      assert.deepEqual((await call('PUT', '/config/c-value', { compatibility: 'none' })).body, {
        compatibility: 'NONE',
      });
      assert.equal((await register('c-value', required)).status, 200);
      assert.deepEqual((await call('DELETE', '/config/c-value')).body, { compatibility: 'NONE' });
      assert.equal(codeOf(await call('GET', '/config/c-value')), 40408);
      assert.deepEqual((await call('GET', '/config/c-value?defaultToGlobal=true')).body, {
        compatibilityLevel: 'BACKWARD',
      });
      assert.equal(codeOf(await call('PUT', '/config', { compatibility: 'x' })), 42203);
    });

    test('Confluent codes for what is not there or not right', async () => {
      assert.equal(codeOf(await call('GET', '/subjects/none/versions')), 40401);
      await register('d-value', user(ID));
      assert.equal(codeOf(await call('GET', '/subjects/d-value/versions/9')), 40402);
      assert.equal(codeOf(await call('GET', '/subjects/d-value/versions/x')), 42202);
      assert.equal(codeOf(await call('GET', '/schemas/ids/99999')), 40403);
      assert.equal(codeOf(await register('d-value', '{"type":"recor"}')), 42201);
      assert.equal(
        codeOf(await call('POST', '/subjects/d-value/versions', { schema: '{}', schemaType: 'PROTOBUF' })),
        42201,
      );
      assert.equal((await call('POST', '/subjects/d-value/versions', '{no json')).status, 400);
      assert.equal((await call('POST', '/subjects/d-value/versions', { schema: 'x'.repeat(3_000_000) })).status, 413);
      assert.equal((await call('GET', '/nothing/there')).status, 404);
    });

    test('soft delete hides, permanent delete forgets, ids are not given out again', async () => {
      const made = await register('e-value', user(ID, { name: 'e', type: 'int', default: 0 }));
      assert.equal(codeOf(await call('DELETE', '/subjects/e-value?permanent=true')), 40405);
      assert.deepEqual((await call('DELETE', '/subjects/e-value')).body, [1]);
      assert.equal(codeOf(await call('GET', '/subjects/e-value/versions')), 40401);
      assert.deepEqual((await call('GET', '/subjects/e-value/versions?deleted=true')).body, [1]);
      assert.equal((await call('GET', `/schemas/ids/${idOf(made)}`)).status, 200);
      assert.deepEqual((await call('DELETE', '/subjects/e-value?permanent=true')).body, [1]);
      assert.equal(codeOf(await call('GET', `/schemas/ids/${idOf(made)}`)), 40403);
      const other = await register('e-value', user(ID, { name: 'f', type: 'int', default: 0 }));
      assert.ok(idOf(other) > idOf(made));
    });

    test('a second instance gives the same answers; both write, and no id is given out twice', async () => {
      const paths = ['/subjects', '/schemas?deleted=true', '/config', '/subjects/a-value/versions'];
      const before = await Promise.all(paths.map((path) => call('GET', path)));
      const second = await startSchemaRegistry({ client, logger, port: 0, topic });
      assert.deepEqual(await Promise.all(paths.map((path) => call('GET', path, undefined, second.port))), before);
      const body = { schema: user(ID, { name: 'late', type: 'int', default: 0 }) };
      const written = await call('POST', '/subjects/f-value/versions', body, second.port);
      assert.equal(written.status, 200);
      // The first one goes on reading.
      for (const until = Date.now() + 5_000; Date.now() < until;) {
        if ((await call('GET', `/schemas/ids/${idOf(written)}`)).status === 200) break;
      }
      assert.equal((await call('GET', `/schemas/ids/${idOf(written)}`)).status, 200);
      const ids: number[] = [];
      const ports = [registry.port, second.port];
      for (let nth = 0; nth < 6; nth++) {
        const schema = user(ID, { name: `turn${nth}`, type: 'int', default: 0 });
        const answers = await Promise.all(
          ports.map((port, i) =>
            call(
              'POST',
              `/subjects/turn${i}-${nth}/versions`,
              { schema: i === 0 ? schema : user(ID, { name: `other${nth}`, type: 'int', default: 0 }) },
              port,
            ),
          ),
        );
        assert.deepEqual(
          answers.map(({ status }) => status),
          [200, 200],
          JSON.stringify(answers),
        );
        ids.push(...answers.map(idOf));
      }
      assert.equal(new Set(ids).size, ids.length);
      await second.stop();
    });

    test('registrations at the same time: each schema has its own id', async () => {
      const fresh = await startSchemaRegistry({ client, logger, port: 0, topic: `${topic}-2` });
      const schemas = Array.from({ length: 20 }, (_, i) => user(ID, { name: `n${i % 10}`, type: 'int', default: 0 }));
      const answers = await Promise.all(
        schemas.map((schema, i) => call('POST', `/subjects/s${i}/versions`, { schema }, fresh.port)),
      );
      assert.equal(new Set(answers.map(idOf)).size, 10);
      assert.deepEqual(answers.slice(0, 10).map(idOf), answers.slice(10).map(idOf));
      await fresh.stop();
    });
  });
}
