import type { AnyRecord } from '../record.ts';
import type { Contributor } from '../state/window-store.ts';
import type { WindowAggregateOptions } from './window-aggregate-options.ts';

/** Told of each record that cannot be folded. */
export type FoldFailure = (contributor: Contributor, error: unknown) => void;

/** Folds contributors in canonical (timestamp, coordinate) order (TIME.md rule 10); leaves out those that `add` throws for. */
export function foldInOrder(
  key: unknown,
  contributors: readonly Contributor[],
  options: Pick<WindowAggregateOptions, 'init' | 'add'>,
  failed: FoldFailure,
): { readonly result: unknown } | undefined {
  const sorted = contributors
    .map((each) => ({ each, coordinate: Buffer.from(each[1], 'base64') }))
    .sort((a, b) => a.each[0] - b.each[0] || Buffer.compare(a.coordinate, b.coordinate));
  let result = options.init();
  let folded = 0;
  for (const { each } of sorted) {
    const [timestamp, , value] = each;
    const record: AnyRecord = { key, value, timestamp };
    try {
      result = options.add(result as never, value as never, record);
      folded++;
    } catch (error) {
      failed(each, error);
    }
  }
  return folded === 0 ? undefined : { result };
}
