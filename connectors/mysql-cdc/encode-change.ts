/** Encoding with the one thing that can go wrong and be mended: a null in a column whose schema says there is none. */
import type { Shape, TableCatalog } from './catalog.ts';
import { type Change, NullInRequiredColumn, type TableCodec } from './codec.ts';

export interface ShapedTable {
  readonly table: string;
  readonly shape: Shape;
  readonly signature: string;
}

export interface EncodedChange {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The codec that fits: another one than before when the schema had to be widened. */
  readonly codec: TableCodec;
}

/** Key (of the after image, else of the before image) and envelope of a change. */
export async function encodeChange(
  catalog: TableCatalog,
  table: ShapedTable,
  codec: TableCodec,
  change: Change,
): Promise<EncodedChange> {
  let current = codec;
  for (;;) {
    try {
      return encodeNow(current, change);
    } catch (error) {
      if (!(error instanceof NullInRequiredColumn)) throw error;
      catalog.widen(table.table, error.column);
      current = await catalog.codec(table.table, table.shape, table.signature);
    }
  }
}

/** Without mending: throws NullInRequiredColumn. */
export function encodeNow(codec: TableCodec, change: Change): EncodedChange {
  const keyed = change.after ?? change.before ?? {};
  return { key: codec.key(keyed), value: codec.value(change), codec };
}
