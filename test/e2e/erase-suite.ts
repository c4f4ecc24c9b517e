/**
 * `sluice erase` on a real run, while the stages and the sinks work: a user is gone, the others are as they were, and verify knows of it. inspect.e2e.test.ts
 * has the run.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { erasableTopics } from '../../bin/commands/erase.ts';
import { answer, lines, type Ran, sluice } from '../bin/cli.ts';
import type { Installation } from './installation.ts';
import { type RoleProcess, runRole } from './roles.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CHILD = join(ROOT, 'test', 'dev', 'erase', 'erase-child.ts');

interface Erasure {
  readonly erased: boolean;
  readonly complete: boolean;
  readonly topics: readonly { readonly topic: string; readonly keys: number }[];
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
  readonly stores: readonly { readonly store: string; readonly entries: number }[];
  readonly kept: readonly { readonly topic: string; readonly records: number; readonly retentionMs: number | null }[];
  readonly inShop: boolean;
}
interface Listed {
  readonly erasures: readonly {
    readonly hash: string;
    readonly done: boolean;
    readonly keys: number;
    readonly entries: number;
  }[];
}

const tables = erasableTopics().flatMap(({ table }) => (table === undefined ? [] : [`${table.schema}.${table.name}`]));
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** A run through which records have gone, every row right. */
export interface FedRun {
  readonly shop: Installation;
  role(name: string): RoleProcess;
  /** A role that has ended, anew. */
  restart(name: string): Promise<void>;
}

/** The suite; `of` is asked when it begins. */
export function eraseSuite(of: () => FedRun): void {
  let shop: Installation;
  let postgres: Client;
  let user: string;
  let other: string;

  before(async () => {
    ({ shop } = of());
    postgres = new Client({ connectionString: shop.env['SLUICE_POSTGRES'] });
    await postgres.connect();
    const { rows } = await postgres.query<{ id: string }>(
      `select user_id::text as id from gold.customer_behaviour join gold.monthly_purchase_summary m using (user_id)
       left join gold.login_anomalies a using (user_id) group by 1 order by count(a.key) desc, count(*) desc, 1 limit 2`,
    );
    [user = '', other = ''] = rows.map(({ id }) => id);
    assert.ok(user !== '' && other !== '', 'no two users have bought something');
  });
  after(() => postgres?.end());

  const verify = (env: Readonly<Record<string, string>> = shop.env): ReturnType<typeof runRole> =>
    runRole('verify', ['--min-rows', '1', '--timeout', '100'], env);
  const erase = (...args: string[]): Promise<Ran> => sluice(['erase', 'user', ...args], shop.env);

  /** Rows of a user by table, and a digest of all rows of all others. */
  async function warehouse(id: string): Promise<{ own: Record<string, number>; others: Record<string, string> }> {
    const own: Record<string, number> = {};
    const others: Record<string, string> = {};
    for (const table of tables) {
      const { rows } = await postgres.query<{ own: string; others: string }>(
        `select count(*) filter (where user_id = $1)::text as own,
         md5(coalesce(string_agg(t::text, ',' order by key) filter (where user_id is distinct from $1), '')) as others from ${table} t`,
        [id],
      );
      own[table] = Number(rows[0]?.own);
      others[table] = rows[0]?.others ?? '';
    }
    return { own, others };
  }

  test('--dry-run counts what there is, in Kafka and in PostgreSQL, and changes nothing', async () => {
    const had = await warehouse(user);
    const would = answer<Erasure>(await erase(user, '--dry-run', '--json'));
    assert.deepEqual(Object.fromEntries(would.tables.map(({ table, rows }) => [table, rows])), had.own);
    assert.deepEqual([would.erased, would.inShop], [false, true]);
    for (const { topic, keys } of would.topics) if (topic in had.own) assert.equal(keys, had.own[topic], topic);
    assert.ok(would.topics.some(({ topic, keys }) => topic === 'silver.users' && keys === 1));
    assert.ok(sum(would.stores.map(({ entries }) => entries)) >= 2, JSON.stringify(would.stores));
    const sessions = would.kept.find(({ topic }) => topic === 'silver.purchases_enriched');
    assert.deepEqual([sessions?.records, sessions?.retentionMs], [had.own['silver.purchases_enriched'], -1]);
    assert.deepEqual(await warehouse(user), had);
    const markdown = readFileSync(join(ROOT, 'docs', 'ERASURE.md'), 'utf8');
    const named = [would, would.topics[0], would.tables[0], would.stores[0], would.kept[0]].flatMap((each) =>
      Object.keys(each ?? {}),
    );
    assert.deepEqual(
      named.filter((field) => !markdown.includes(`"${field}"`)),
      [],
    );
  });

  test('nobody to ask, or nobody of that id: nothing is erased, and it says so', async () => {
    const had = await warehouse(user);
    const asked = await erase(user);
    assert.equal(asked.code, 1);
    assert.match(asked.err, /nothing erased: nobody to ask here; --yes erases without/);
    assert.match(asked.out, /gold\.customer_behaviour +keys +1 +would be erased/);
    const nobody = await erase('987654321', '--yes');
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /there is nothing of user 987654321.*\[SLC_ERASE_NOBODY\]/s);
    assert.deepEqual(await warehouse(user), had);
    assert.deepEqual(answer<Listed>(await sluice(['erase', 'list', '--json'], shop.env)), { erasures: [] });
  });

  test('killed by SIGKILL in the middle, then run again: gone, the others as they were, each count once', async () => {
    const had = await warehouse(user);
    const would = answer<Erasure>(await erase(user, '--dry-run', '--json'));
    const env = { ...process.env, ...shop.env };
    // The first commit is that of the record, then come those of the slots.
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, user, '3'], {
      env,
      stdio: 'inherit',
    });
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
    const [begun] = answer<Listed>(await sluice(['erase', 'list', '--json'], shop.env)).erasures;
    assert.equal(begun?.done, false);

    const done = await erase(user, '--yes');
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /gold\.customer_behaviour +keys +1 +erased\n/);
    assert.match(done.out, /PostgreSQL gold\.customer_behaviour +rows +1 +erased\n/);
    assert.match(done.out, /silver\.users +records +\d+ +bytes stay: Kafka keeps them whatever its age, up to /);
    assert.match(done.out, /! the shop still has this user/);
    const has = await warehouse(user);
    assert.equal(sum(Object.values(has.own)), 0);
    assert.deepEqual(has.others, had.others);
    const [listed] = answer<Listed>(await sluice(['erase', 'list', '--json'], shop.env)).erasures;
    const wanted = [true, sum(would.topics.map(({ keys }) => keys)), sum(would.stores.map(({ entries }) => entries))];
    assert.deepEqual([listed?.done, listed?.keys, listed?.entries], wanted);
    assert.match(done.out, /silver\.purchases_enriched +keys +[1-9]\d* +erased\n/);
    const newest = lines<{ value: unknown; valueForm: string }>(
      await sluice(['inspect', 'gold.customer_behaviour', '--key', user, '--limit', '1', '--json'], shop.env),
    );
    assert.deepEqual(
      newest.map(({ valueForm }) => valueForm),
      ['none'],
    );
  });

  test('once more: the same end', async () => {
    const again = await erase(user, '--yes');
    assert.equal(again.code, 0, again.err);
    assert.match(again.err, /was erased before: nothing has come since/);
    assert.equal(answer<Listed>(await sluice(['erase', 'list', '--json'], shop.env)).erasures.length, 1);
  });

  test('verify leaves out the erased user, and nobody whose erasure it does not find', async () => {
    const verified = await verify();
    assert.equal(verified.code, 0, verified.output);
    assert.match(verified.output, /gold\.customer_behaviour +Kafka .* ok, 1 of erased users left out\n/);
    assert.match(verified.output, /silver\.sessions +PostgreSQL .* ok(, \d+ of erased users left out)?\n/);
    const unknown = await verify({ ...shop.env, SLUICE_ERASURE_KEY: 'another' });
    assert.equal(unknown.code, 1, unknown.output);
    assert.match(unknown.output, new RegExp(`gold\\.customer_behaviour in PostgreSQL:\\n +missing _key=${user} `));
    assert.doesNotMatch(unknown.output, /left out/);
  });

  test('a replay of all does not bring the user back, and verify does not miss him', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-erased-'));
    try {
      const replay = await runRole('replay', ['all', '--into', 'gone', '--dir', folder], shop.env);
      assert.equal(replay.code, 0, replay.output);
      assert.match(replay.output, /replay erased: id gone, keys [1-9]\d*\n/);
      for (const table of ['gold_gone.customer_behaviour', 'silver_gone.purchases_enriched', 'silver_gone.sessions']) {
        const { rows } = await postgres.query<{ own: string; others: string }>(
          `select count(*) filter (where user_id = $1)::text as own, count(*)::text as others from ${table}`,
          [user],
        );
        assert.equal(rows[0]?.own, '0', table);
        assert.ok(Number(rows[0]?.others) > 0, table);
      }
      const verified = await runRole('verify', ['--replay', 'gone', '--dir', folder, '--timeout', '100'], shop.env);
      assert.equal(verified.code, 0, verified.output);
      assert.match(verified.output, /silver\.sessions +records .* equal, [1-9]\d* of erased users left out\n/);
    } finally {
      await sluice(['replay', '--drop', 'gone', '--yes', '--dir', folder], shop.env);
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('without the sink nothing is claimed; with it the erasure comes to its end', async () => {
    await of().role('sinks').stop();
    const had = await warehouse(other);
    const alone = await erase(other, '--yes', '--json', '--timeout', '5');
    assert.equal(alone.code, 1, alone.err);
    assert.match(alone.err, /may write rows again.*\[SLC_ERASE_SINK_BEHIND\]/s);
    assert.equal((JSON.parse(alone.out) as Erasure).complete, false);
    await of().restart('sinks');
    const done = answer<Erasure>(await erase(other, '--yes', '--json'));
    assert.deepEqual([done.erased, done.complete], [true, true]);
    const has = await warehouse(other);
    assert.equal(sum(Object.values(has.own)), 0);
    assert.deepEqual(has.others, had.others);
    const { erasures } = answer<Listed>(await sluice(['erase', 'list', '--json'], shop.env));
    assert.deepEqual(
      erasures.map((each) => each.done),
      [true, true],
    );
  });
}
