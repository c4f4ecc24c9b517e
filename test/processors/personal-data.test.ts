/** processors/personal-data.ts names every topic and every store with something of a user in it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildTopology } from '#topology';
import { shopStages } from '../../processors/index.ts';
import {
  openSessions,
  personalStores,
  personalTopics,
  storesLeft,
  storesOfNobody,
} from '../../processors/personal-data.ts';
import { topics } from '../../processors/topics.ts';

interface Fields {
  readonly name: string;
  readonly value: { readonly definition: unknown };
}

/** Topics with a field that looks like the id of a user, as `<topic>.<field>`. */
function fieldsOfUsers(all: readonly Fields[]): string[] {
  return all.flatMap(({ name, value }) => {
    const { fields } = value.definition as { fields: readonly { name: string }[] };
    return fields
      .filter((field) => /^(user|customer|person|member)_?id$/i.test(field.name))
      .map((field) => `${name}.${field.name}`);
  });
}

const derived: readonly Fields[] = [...Object.values(topics.silver), ...Object.values(topics.gold)];
const marked = personalTopics.map(({ name, column }) => `${name}.${column}`);

describe('personal data', () => {
  test('every topic of silver and gold with the id of a user is marked, and no other', () => {
    const hint = 'processors/personal-data.ts has to name each topic with the id of a user';
    assert.deepEqual(marked.toSorted(), fieldsOfUsers(derived).toSorted(), hint);
  });

  test('a new topic with a user_id is noticed', () => {
    const fields = [{ name: 'user_id', type: 'long' }];
    const grown = [...derived, { name: 'gold.loyalty', value: { definition: { fields } } }];
    assert.deepEqual(
      fieldsOfUsers(grown).filter((each) => !marked.includes(each)),
      ['gold.loyalty.user_id'],
    );
  });

  test('every store is one that is erased, one that is left for a reason, or one of nobody', () => {
    const { changelogs } = buildTopology(shopStages, { app: 'shop' });
    const said = [...personalStores.map(({ name }) => name), ...Object.keys(storesLeft), ...storesOfNobody];
    const stores = changelogs.map(({ store }) => store);
    const hint = 'processors/personal-data.ts has to say whether a store holds something of one user';
    assert.deepEqual(said.toSorted(), stores.toSorted(), hint);
    assert.ok(openSessions.name in storesLeft);
  });

  test('a user is not taken for another whose id begins the same', () => {
    for (const { isOf } of [...personalStores, openSessions]) {
      for (const key of ['421', '421|home', 'user:421', '4', '4|home', 'user:4']) assert.ok(!isOf(key, '42'), key);
    }
    assert.ok(personalStores.every(({ isOf }) => isOf('42', '42') || isOf('42|home', '42')));
    assert.ok(openSessions.isOf('user:42', '42'));
  });
});
