/** `sluice replay --drop ID`: everything that a replay has made goes; live is not touched. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import {
  deadLetterTopicOf,
  type KafkaAdmin,
  type KafkaClient,
  lateTopicOf,
  PlanStore,
  replayAppOf,
  replayNameOf,
  type ReplayPlan,
  RetriableError,
  type Topology,
} from '#topology';
import { shadowLake, shadowTable, shadowTopics, sinkStagesOf, type ReplayTargets } from './sinks.ts';

/** What it needs. `folder`: where plans and certificates are. */
export interface DropOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly live: Topology;
  readonly plan: ReplayPlan;
  readonly targets: ReplayTargets;
  readonly folder: string;
}

/** Longer than the session of a process that was killed, ms. */
const GROUP_MS = 30_000;
const POLL_MS = 1_000;
const TRANSACTION_MS = 15_000;

/** Topics of the replay that are there. */
export async function topicsOfReplay({
  admin,
  live,
  plan,
}: Pick<DropOptions, 'admin' | 'live' | 'plan'>): Promise<string[]> {
  const { id, stages } = plan;
  const app = replayAppOf(plan.app, id);
  const names = new Set([
    ...stages.flatMap((stage) => [lateTopicOf(replayNameOf(stage, id)), deadLetterTopicOf(replayNameOf(stage, id))]),
    ...writtenTopics(live, plan).map((topic) => replayNameOf(topic, id)),
    ...sinkStagesOf(id).map((stage) => `sink.${stage}.dlq`),
    `${app}.watermarks`,
  ]);
  const internal = (name: string): boolean =>
    name.startsWith(`${app}-`) && (name.endsWith('-repartition') || name.endsWith('-changelog'));
  return (await admin.listTopics()).filter((name) => names.has(name) || internal(name)).sort();
}

/** Live names of the topics that the replay's stages write. */
export function writtenTopics(live: Topology, plan: ReplayPlan): string[] {
  const internal = new Set(live.internalTopics.map(({ name }) => name));
  return [...live.writers]
    .filter(([topic, writers]) => !internal.has(topic) && writers.some(({ stage }) => plan.stages.includes(stage)))
    .map(([topic]) => topic);
}

/**
 * Groups first: while somebody runs the replay, nothing is removed (RetriableError SLC_BROKER_GROUP_BUSY after half a minute). The plan last: what
 * fails on the way can be done again.
 */
export async function dropReplay(options: DropOptions): Promise<void> {
  const { client, admin, live, plan, targets, folder } = options;
  const app = replayAppOf(plan.app, plan.id);
  await deleteGroups(admin, [app, ...sinkStagesOf(plan.id).map((stage) => `${app}.sink.${stage}`)]);
  const slots = Math.max(0, ...live.subTopologies.map((sub) => sub.partitions));
  for (let slot = 0; slot < slots; slot++) {
    const producer = await client.producer({ transactionalId: `${app}-${slot}`, transactionTimeoutMs: TRANSACTION_MS });
    try {
      await producer.fence();
    } finally {
      await producer.close();
    }
  }
  await admin.deleteTopics(await topicsOfReplay(options));
  const tables = shadowTopics(new Set(writtenTopics(live, plan))).map((topic) => shadowTable(topic, plan.id));
  if (targets.postgres !== '') await dropTables(targets.postgres, tables);
  if (targets.lake !== '') await rm(shadowLake(targets.lake, plan.id), { recursive: true, force: true });
  await new PlanStore(client, admin, plan.app).drop(plan.id);
  await rm(join(folder, plan.id), { recursive: true, force: true });
}

async function deleteGroups(admin: KafkaAdmin, groups: readonly string[]): Promise<void> {
  const until = Date.now() + GROUP_MS;
  for (;;) {
    try {
      await admin.deleteGroups(groups);
      return;
    } catch (error) {
      if (!(error instanceof RetriableError) || Date.now() >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** A schema goes when nothing else is in it. */
async function dropTables(
  connectionString: string,
  tables: readonly { schema: string; name: string }[],
): Promise<void> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5_000, statement_timeout: 15_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    for (const { schema, name } of tables)
      await client.query(`drop table if exists ${escapeIdentifier(schema)}.${escapeIdentifier(name)}`);
    for (const schema of new Set(tables.map((table) => table.schema))) {
      const { rowCount } = await client.query(
        'select 1 from pg_namespace n where nspname = $1 and not exists (select 1 from pg_class c where c.relnamespace = n.oid)',
        [schema],
      );
      if (rowCount === 1) await client.query(`drop schema ${escapeIdentifier(schema)}`);
    }
  } finally {
    await client.end();
  }
}
