import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogRecord, parseRecord } from '../../../connectors/schema-registry/records.ts';
import { SchemaRegistry } from '../../../connectors/schema-registry/registry.ts';
import { RegistryState } from '../../../connectors/schema-registry/state.ts';

test('an id is not given out again when all of its schema was deleted and compacted away', async () => {
  const log = new Map<string, string | null>();
  const registryOver = (state: RegistryState): SchemaRegistry =>
    new SchemaRegistry(state, {
      write: async (decide) => {
        const { records, answer } = decide();
        for (const each of records) keep(each, state);
        return await Promise.resolve(answer);
      },
    });
  const keep = ({ key, value }: LogRecord, state: RegistryState): void => {
    const texts = [JSON.stringify(key), value === null ? null : JSON.stringify(value)] as const;
    // As compaction leaves it: the last record of a key, where it was written last; a null disappears.
    log.delete(texts[0]);
    if (texts[1] !== null) log.set(texts[0], texts[1]);
    state.apply(parseRecord(...texts));
  };
  const registry = registryOver(new RegistryState());
  const id = await registry.register('a', { schema: '"string"', references: [] });
  await registry.deleteSubject('a', false);
  await registry.deleteSubject('a', true);
  const compacted = new RegistryState();
  for (const [key, value] of log) compacted.apply(parseRecord(key, value));
  assert.equal(await registryOver(compacted).register('b', { schema: '"long"', references: [] }), id + 1);
});
