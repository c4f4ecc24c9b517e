/** Avro's rules of which schema can read what another has written, by avsc's own resolution. */
import avsc, { type Type } from 'avsc';
import { invalidSchema } from './api-error.ts';
import type { Reference, SchemaVersion } from './records.ts';

/** The levels of Confluent's API. BACKWARD: the new schema reads old data; FORWARD: old ones read new data; TRANSITIVE: all old versions count. */
export const LEVELS = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const;

/** How a version is found that a schema refers to. */
export type Lookup = (subject: string, version: number) => SchemaVersion | undefined;

/** A schema as it is checked: text and references. */
export interface Candidate {
  readonly schema: string;
  readonly references?: readonly Reference[];
}

/** Compiles a schema with what it refers to. Throws ApiError 42201. */
export function compileSchema(candidate: Candidate, lookup: Lookup): Type {
  try {
    // Without a prototype: a type may be named "constructor".
    return compile(candidate, lookup, Object.create(null) as Record<string, Type>, new Set());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidSchema(`Invalid schema ${candidate.schema.slice(0, 500)}: ${reason}`);
  }
}

function compile(candidate: Candidate, lookup: Lookup, registry: Record<string, Type>, seen: Set<string>): Type {
  for (const { subject, version } of candidate.references ?? []) {
    const place = `${subject}/${version}`;
    if (seen.has(place)) continue;
    seen.add(place);
    const used = lookup(subject, version);
    if (used === undefined) throw new Error(`there is no ${place} to refer to`);
    compile(used, lookup, registry, seen);
  }
  // Only shapes are compared: logical types are left out, unions are wrapped so that any union compiles.
  return avsc.Type.forSchema(JSON.parse(candidate.schema), { registry, wrapUnions: true });
}

/** What is wrong with a new schema beside the earlier versions (oldest first) under a level; empty = nothing. */
export function incompatibilities(
  level: string,
  candidate: Type,
  earlier: readonly SchemaVersion[],
  lookup: Lookup,
): string[] {
  if (level === 'NONE') return [];
  const compared = level.endsWith('_TRANSITIVE') ? earlier : earlier.slice(-1);
  const direction = level.replace('_TRANSITIVE', '');
  return compared.flatMap((version) => {
    const old = compileSchema(version, lookup);
    const backward = direction === 'FORWARD' ? undefined : problem(candidate, old);
    const forward = direction === 'BACKWARD' ? undefined : problem(old, candidate);
    return [
      ...(backward === undefined ? [] : [`the new schema cannot read data of version ${version.version}: ${backward}`]),
      ...(forward === undefined ? [] : [`version ${version.version} cannot read data of the new schema: ${forward}`]),
    ];
  });
}

/** Why `reader` cannot read what `writer` wrote. */
function problem(reader: Type, writer: Type): string | undefined {
  try {
    reader.createResolver(writer, { ignoreNamespaces: true });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
