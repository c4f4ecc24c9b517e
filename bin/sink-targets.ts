/** Sinks whose targets say themselves where they are. */
import { readLake } from '../connectors/parquet/index.ts';
import type { Installation } from '../dev/inspect/installation.ts';
import type { SinkTarget } from '../dev/inspect/lag.ts';
import { postgresPositions } from '../dev/inspect/postgres-positions.ts';
import { lakeStageOf, lakeTopics } from '../processors/sinks/lake.ts';
import { warehouseTopics } from '../processors/sinks/warehouse.ts';

/** Those that the installation has an address of. */
export function sinkTargets({ postgres, lake }: Pick<Installation, 'postgres' | 'lake'>, app: string): SinkTarget[] {
  const warehouse: SinkTarget[] =
    postgres === undefined
      ? []
      : [{ name: 'warehouse', topics: warehouseTopics, positions: () => postgresPositions(postgres, app) }];
  if (lake === undefined) return warehouse;
  const tiers = Object.entries(lakeTopics).map(([tier, topics]): SinkTarget => {
    return { name: lakeStageOf(tier), topics, positions: () => lakePositions(lake, topics) };
  });
  return [...warehouse, ...tiers];
}

async function lakePositions(lake: string, topics: readonly { readonly name: string }[]): Promise<Map<string, bigint>> {
  const views = await Promise.all(topics.map(async ({ name }) => ({ name, partitions: await readLake(lake, name) })));
  return new Map(
    views.flatMap(({ name, partitions }) =>
      partitions.flatMap(({ partition, nextOffset }) =>
        nextOffset === null ? [] : [[`${name}/${partition}`, nextOffset] as const],
      ),
    ),
  );
}
