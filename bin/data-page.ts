/** Writes docs/DATA.md. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildTopology, type Contract, type Topic, type Topology } from '#topology';
import { dataPage } from '../dev/docs/data-page.ts';
import { shopStages, topics } from '../processors/index.ts';
import { postHogTopics } from '../processors/sinks/posthog.ts';
import { warehouseTopics } from '../processors/sinks/warehouse.ts';

const names = (of: readonly { readonly name: string }[]): Set<string> => new Set(of.map(({ name }) => name));
const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
const all = (of: object): Topic<never, never>[] => Object.values(of) as Topic<never, never>[];

/** The text of docs/DATA.md as it should be. */
export function shopDataPage(): string {
  const { bronze, silver, gold } = topics;
  const shop = buildTopology(shopStages, { app: 'shop' });
  return dataPage({
    tiers: [
      ['bronze', Object.values(bronze).flatMap(all)],
      ['silver', all(silver)],
      ['gold', all(gold)],
    ],
    contracts: contractsOf(shop),
    from: new Map<string, readonly string[]>([
      ...Object.values(bronze.shop).map(
        ({ name }) => [name, [`MySQL table \`${lastPart(name)}\`, by its binlog`]] as const,
      ),
      ...[...Object.values(bronze.app), ...Object.values(bronze.ops)].map(
        ({ name }) => [name, ['the collector (`POST /v1/events`)']] as const,
      ),
      ...sourcesOf(shop),
    ]),
    readers: { warehouse: names(warehouseTopics), posthog: names(postHogTopics) },
    command: 'npm run generate',
  });
}

/** What the stages check. */
export function contractsOf({ subTopologies }: Topology): Contract<object>[] {
  const found = subTopologies.flatMap(({ nodes }) => nodes.flatMap(({ spec }) => spec.contract ?? []));
  return [...new Set(found)];
}

/** Per topic what the stage that writes it reads, without the engine's own topics. */
function sourcesOf({ stages, subTopologies, globalTables, internalTopics }: Topology): Map<string, string[]> {
  const internal = names(internalTopics);
  const own = (name: string): boolean => !internal.has(name);
  const from = new Map<string, string[]>();
  for (const { name } of stages) {
    const subs = subTopologies.filter(({ stage }) => stage === name);
    const tables = globalTables.filter(({ stage }) => stage === name);
    const read = [...subs.flatMap(({ sources }) => sources), ...tables].map(({ topic }) => topic.name).filter(own);
    const written = subs.flatMap(({ sinks }) => sinks.map(({ topic }) => topic.name)).filter(own);
    const texts = [...new Set(read)].map((topic) => `\`${topic}\``);
    for (const topic of written) from.set(topic, [...(from.get(topic) ?? []), ...texts]);
  }
  return from;
}

if (import.meta.main) writeFileSync(join(dirname(import.meta.dirname), 'docs', 'DATA.md'), shopDataPage());
