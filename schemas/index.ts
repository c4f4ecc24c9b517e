/** The schemas of all topics with the TypeScript types of their records; written from *.avsc by generate.ts. */
import { definitions, type SchemaTypes } from './generated.ts';

export type * from './generated.ts';

/** A named schema that carries the TypeScript type of its values; equal in shape to the engine's, which this folder does not import. */
export interface Schema<T> {
  readonly name: string;
  readonly definition: object;
  /** Never present at run time: carries the type of the values. */
  readonly type?: T;
}

/** One schema per file: a topic's name for its values, `<topic>-key` for its keys. */
export type Schemas = { readonly [Name in keyof SchemaTypes]: Schema<SchemaTypes[Name]> };

/** All schemas by name, as in `schemas['bronze.app.pageviews']`. */
export const schemas = Object.fromEntries(
  Object.entries(definitions).map(([name, definition]) => [name, { name, definition }]),
) as unknown as Schemas;
