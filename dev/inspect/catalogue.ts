/** What each topic of an installation is, by its name and the topology. */
import {
  applicationsOf,
  deadLetterTopicOf,
  type DeclaredTopic,
  HINTS_TOPIC,
  type KeyFormat,
  lateTopicOf,
  ledgerTopicOf,
  type Topology,
} from '#topology';

/** 'foreign': the topology does not know it. Others as in TopicKind; 'internal' = Kafka's own, the registry's, a connector's. */
export type CatalogueKind =
  | 'origin'
  | 'table'
  | 'derived'
  | 'repartition'
  | 'changelog'
  | 'ledger'
  | 'hints'
  | 'late'
  | 'dlq'
  | 'internal'
  | 'foreign';

/** A topic as the topology sees it. */
export interface CatalogueEntry {
  readonly name: string;
  /** bronze, silver or gold for declared topics, else null. */
  readonly tier: string | null;
  readonly kind: CatalogueKind;
  /** Whose late records or dead letters it holds. */
  readonly of: string | null;
  /** Its values must be Avro. */
  readonly avro: boolean;
  readonly avroKey: boolean;
  /** Its records are in the partitions of their keys as text. */
  readonly spreadByText: boolean;
}

type Declared = DeclaredTopic & { readonly key: KeyFormat<unknown> };

/** What topics are, for one topology. */
export class Catalogue {
  readonly #known = new Map<string, CatalogueEntry>();

  /** `declared`: topics that sinks read and no stage does, too. */
  constructor(topology: Topology, declared: readonly Declared[] = []) {
    const ends = [...topology.subTopologies.flatMap((sub) => [...sub.sources, ...sub.sinks]), ...topology.globalTables];
    const topics = ends.flatMap(({ topic }) => ('value' in topic ? [topic as Declared] : []));
    for (const topic of [...declared, ...topics]) this.#declare(topic);
    for (const { name } of topology.internalTopics) this.#put(name, { kind: 'repartition', spreadByText: true });
    for (const { topic } of topology.changelogs) this.#put(topic, { kind: 'changelog' });
    for (const { name } of topology.stages) {
      this.#put(lateTopicOf(name), { kind: 'late', of: name });
      this.#put(deadLetterTopicOf(name), { kind: 'dlq', of: name });
    }
    for (const app of applicationsOf(topology)) this.#put(ledgerTopicOf(app), { kind: 'ledger' });
    this.#put(HINTS_TOPIC, { kind: 'hints' });
  }

  of(name: string): CatalogueEntry {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (name.endsWith('.dlq')) return entry(name, { kind: 'dlq', of: name.slice(0, -4) });
    if (name.endsWith('.late')) return entry(name, { kind: 'late', of: name.slice(0, -5) });
    return entry(name, { kind: /^(_|sluice\.)/.test(name) ? 'internal' : 'foreign' });
  }

  #declare(topic: Declared): void {
    const { name, origin, cleanup, key } = topic;
    const kind = origin !== undefined ? 'origin' : cleanup === 'compact' ? 'derived' : 'table';
    const [tier = null] = /^(bronze|silver|gold)(?=\.)/.exec(name) ?? [];
    const avroKey = key !== 'text';
    this.#put(name, { kind, tier, avro: true, avroKey, spreadByText: !avroKey });
  }

  #put(name: string, fields: Partial<CatalogueEntry> & { readonly kind: CatalogueKind }): void {
    this.#known.set(name, entry(name, fields));
  }
}

function entry(name: string, fields: Partial<CatalogueEntry> & { readonly kind: CatalogueKind }): CatalogueEntry {
  return { name, tier: null, of: null, avro: false, avroKey: false, spreadByText: false, ...fields };
}
