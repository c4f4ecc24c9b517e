/** Finds a user's entries in the changelogs of stores. */
import { changelogKeyOf, InvariantError, type TopicPartition } from '#topology';
import { rangesOf, readTopics } from '../verify/read-topics.ts';
import type { EraseOptions, PersonalStore } from './types.ts';

/** An entry of state of the user. Bytes are a copy. */
export interface FoundEntry extends TopicPartition {
  readonly store: string;
  readonly key: Buffer;
  /** Of the changelog record, ms. */
  readonly timestamp: number;
}

/** The entries that the stores hold by what is committed; `slot`: of one slot only. */
export async function findEntries(
  options: EraseOptions,
  stores: readonly PersonalStore[],
  slot?: number,
): Promise<FoundEntry[]> {
  const { client, admin, topology, userId, deadline } = options;
  const specs = new Map(topology.subTopologies.flatMap((sub) => sub.stores.map((spec) => [spec.name, spec] as const)));
  const byTopic = new Map(
    stores.map((store) => {
      const changelog = topology.changelogs.find((each) => each.store === store.name);
      const kind = specs.get(store.name)?.kind;
      if (changelog === undefined || kind === undefined)
        throw new InvariantError('SLC_BUG', `there is no store ${store.name}`);
      return [changelog.topic, { store, kind }] as const;
    }),
  );
  const all = await rangesOf(admin, [...byTopic.keys()]);
  const ranges = slot === undefined ? all : all.filter(({ partition }) => partition === slot);
  const found = new Map<string, FoundEntry>();
  await readTopics(client, ranges, deadline, ({ topic, partition }, cursor) => {
    const [of, key] = [byTopic.get(topic), cursor.keyBytes()];
    if (of === undefined || key === null) return undefined;
    const about = changelogKeyOf(of.kind, key);
    if (about === undefined || !of.store.isOf(about, userId)) return undefined;
    const id = `${topic}|${partition}|${key.toString('base64')}`;
    if (cursor.valueBytes() === null) found.delete(id);
    else {
      const { timestamp } = cursor;
      found.set(id, { topic, partition, store: of.store.name, key: Buffer.from(key), timestamp });
    }
    return undefined;
  });
  return [...found.values()];
}
