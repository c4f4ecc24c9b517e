/** A shop over a broker in memory that users are erased from, and what its topics hold then. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { schemas } from '#schemas';
import type { KafkaClient } from '#topology';
import { random } from '#topology/testing';
import { erasableTopics } from '../../../bin/commands/erase.ts';
import { type Erased, type Holdings, UserErasure } from '../../../dev/erase/erase.ts';
import type { EraseOptions } from '../../../dev/erase/types.ts';
import { decode, openSerdes } from '../../../dev/verify/dump.ts';
import { rangesOf, readTopics } from '../../../dev/verify/read-topics.ts';
import { openSessions, personalStores } from '../../../processors/personal-data.ts';
import { topics } from '../../../processors/index.ts';
import { makeDump } from '../../oracles/synthetic.ts';
import { LiveShop } from '../../processors/live-shop.ts';
import { complete, topicOf } from '../../processors/shop-dump.ts';

export type Row = Readonly<Record<string, unknown>>;

/**
 * The rows of a topic: of a table the newest value per key, without those that are tombstoned; of one that keeps all, all, in an order of their own, since
 * that of the log is nobody's promise.
 */
export async function tableOf(shop: LiveShop, topic: string, schema = topic): Promise<Map<string, Row>> {
  const isTable = topicOf(schema).cleanup === 'compact';
  const { client, serdes } = shop;
  const admin = await client.admin();
  const deadline = Date.now() + 30_000;
  const read = await openSerdes({ client, serdes, schemas, app: 'shop', deadline }, schema);
  const rows = new Map<string, Row>();
  await readTopics(client, await rangesOf(admin, [topic]), deadline, (_, cursor) => {
    const decoded = decode(read, cursor);
    if (decoded instanceof Promise) return decoded;
    assert.ok(decoded !== undefined);
    const key = String(decoded.key);
    if (decoded.value !== null) rows.set(isTable ? key : `${key} ${textOf(decoded.value)}`, decoded.value as Row);
    else if (isTable) rows.delete(key);
    return undefined;
  });
  return rows;
}

/** How many keys have a row of the user as their newest. */
export async function keysOf(shop: LiveShop, topic: string, userId: number): Promise<number> {
  const rows = await newestOf(shop, topic);
  return [...rows.values()].filter((row) => row?.['userId'] === userId).length;
}

/** The newest value of each key, null where it is a tombstone. */
export async function newestOf(shop: LiveShop, topic: string, schema = topic): Promise<Map<string, Row | null>> {
  const { client, serdes } = shop;
  const deadline = Date.now() + 30_000;
  const read = await openSerdes({ client, serdes, schemas, app: 'shop', deadline }, schema);
  const rows = new Map<string, Row | null>();
  await readTopics(client, await rangesOf(await client.admin(), [topic]), deadline, (_, cursor) => {
    const decoded = decode(read, cursor);
    if (decoded instanceof Promise) return decoded;
    rows.set(String(decoded?.key), (decoded?.value ?? null) as Row | null);
    return undefined;
  });
  return rows;
}

export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));

export const rowsOf = async (shop: LiveShop, topic: string, userId: number): Promise<Row[]> =>
  [...(await tableOf(shop, topic)).values()].filter((row) => row['userId'] === userId);

export async function optionsOf(
  shop: LiveShop,
  userId: string,
  client: KafkaClient = shop.client,
): Promise<EraseOptions> {
  return {
    client,
    admin: await shop.client.admin(),
    topology: shop.topology,
    serdes: shop.serdes,
    schemas,
    userId,
    topics: erasableTopics(),
    stores: personalStores,
    openSessions,
    users: topics.silver.users.name,
    postgres: undefined,
    secret: '',
    deadline: Date.now() + 30_000,
    progress: () => undefined,
  };
}

export async function erase(shop: LiveShop, userId: string, client?: KafkaClient): Promise<[Holdings, Erased]> {
  const erasure = await UserErasure.open(await optionsOf(shop, userId, client));
  const holdings = await erasure.holdings();
  return [holdings, await erasure.erase(holdings)];
}

/** A shop that has processed a share of a dump, and the user with the most orders by then; in few dumps nobody has any. */
export async function busyShop(
  seed: number,
  share: number,
  stateFolder?: string,
): Promise<{ shop: LiveShop; userId: number }> {
  for (let next = seed; next < seed + 20; next++) {
    const shop = new LiveShop(complete(makeDump(next)), random(next), stateFolder && join(stateFolder, String(next)));
    await shop.open();
    await shop.start();
    await shop.feed(share);
    await shop.settle();
    const users = [...(await tableOf(shop, 'gold.customer_behaviour')).values()];
    const [most] = users.toSorted((a, b) => Number(b['orders']) - Number(a['orders']));
    if (Number(most?.['orders'] ?? 0) > 0) return { shop, userId: Number(most?.['userId']) };
    await shop.close();
  }
  return assert.fail('nobody has bought anything');
}

/** How many dead letters there are. */
export async function deadLetters(shop: LiveShop): Promise<number> {
  const admin = await shop.client.admin();
  const names = (await admin.listTopics()).filter((name) => name.endsWith('.dlq'));
  return (await rangesOf(admin, names)).reduce((sum, { start, end }) => sum + Number(end - start), 0);
}
