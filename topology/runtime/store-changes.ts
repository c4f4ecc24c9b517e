/** What an upgrade does to state: which stores go on, which begin empty, which cannot be what they were. */
import type { Topology } from '../dsl/topology.ts';
import { isInPanes } from '../operators/window-aggregate.ts';
import { TopologyError } from '../errors.ts';

/** What a new topology means for the stores of the old one. */
export interface StoreChanges {
  /** As before: their state goes on. */
  readonly kept: readonly string[];
  /** New: they know nothing of what was read before, until a replay. */
  readonly fresh: readonly string[];
  /** No longer used; their changelogs stay. */
  readonly gone: readonly string[];
  /** Same name, other meaning. */
  readonly changed: readonly { readonly store: string; readonly was: string; readonly is: string }[];
}

/** Per store what makes its content: operator, windows, kind, partitions. In words, for messages; equal words = the content fits. */
export function storeShapes(topology: Topology): Record<string, string> {
  const shapes: Record<string, string> = {};
  for (const { nodes, partitions } of topology.subTopologies) {
    for (const { spec, parents } of nodes) {
      for (const { name, kind } of spec.stores ?? [])
        shapes[name] = `${spec.kind} in a ${kind} store of ${partitions} partitions`;
      if (spec.store === undefined) continue;
      const of = parents[0]?.spec.windows;
      const windows = of?.text;
      const paned = of !== undefined && 'paneMs' in of && topology.time === 'watermark';
      const words = [
        spec.kind,
        spec.detail,
        windows === undefined ? undefined : `over ${windows}`,
        `in a ${spec.store.kind} store`,
        paned && isInPanes(spec.isSum, spec.emits) ? 'by panes' : undefined,
        // What it keeps of its records differs.
        topology.time === 'watermark' ? undefined : `by ${topology.time}`,
      ];
      shapes[spec.store.name] = [...words.filter((word) => word !== undefined), `of ${partitions} partitions`].join(
        ' ',
      );
    }
  }
  return shapes;
}

/** Compares the shapes that an application had with those that it has now. */
export function compareStores(
  was: Readonly<Record<string, string>>,
  is: Readonly<Record<string, string>>,
): StoreChanges {
  const names = Object.keys(is);
  return {
    kept: names.filter((store) => was[store] === is[store]),
    fresh: names.filter((store) => was[store] === undefined),
    gone: Object.keys(was).filter((store) => is[store] === undefined),
    changed: names.flatMap((store) => {
      const [before, now] = [was[store], is[store]];
      return before === undefined || now === undefined || before === now ? [] : [{ store, was: before, is: now }];
    }),
  };
}

/** TopologyError SLC_TOPOLOGY_STORE_CHANGED: what is in the changelog would be read as something else. */
export function refuseChanged(app: string, changed: StoreChanges['changed']): void {
  const [first] = changed;
  if (first === undefined) return;
  const lines = changed.map(({ store, was, is }) => `store ${store} was ${was} and is now ${is}`);
  throw new TopologyError('SLC_TOPOLOGY_STORE_CHANGED', lines.join('\n'), {
    where: first.store,
    hint: `give it another name and replay the history into it, or stop the application and delete topic ${app}-${first.store}-changelog to begin empty`,
  });
}
