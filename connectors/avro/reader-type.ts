import avsc, { type Type } from 'avsc';
import { ConfigError, RecordError } from '#topology';
import { compareOptions, valueOptions } from './logical-types.ts';

/** What avsc gives for `createResolver`; undefined in `decode` = written with the reader's own schema. */
export type Resolver = ReturnType<Type['createResolver']>;

/** A schema of ours, compiled. */
export interface ReaderType {
  /** Encodes and decodes; decoded records are plain objects. */
  readonly type: Type;
  /**
   * How to read what `writer` (compiled with `compareOptions`) wrote; undefined = as with the own schema.
   * Throws RecordError SLC_RECORD_SCHEMA_INCOMPATIBLE.
   */
  resolve(writer: Type): Resolver | undefined;
}

/** Compiles a schema. Throws ConfigError SLC_CONFIG_SCHEMA_INVALID. */
export function compileReader(name: string, definition: unknown): ReaderType {
  let type: Type;
  let comparable: Type;
  try {
    type = plainRecords(compile(definition, valueOptions()));
    comparable = compile(definition, compareOptions());
  } catch (cause) {
    throw new ConfigError('SLC_CONFIG_SCHEMA_INVALID', `schema ${name} is no Avro schema: ${messageOf(cause)}`, {
      cause,
    });
  }
  const text = textOf(comparable);
  return {
    type,
    resolve(writer) {
      try {
        if (textOf(writer) === text) return undefined;
        // First with times: the type that decodes takes them for plain numbers and would not see a difference of unit.
        comparable.createResolver(writer, { ignoreNamespaces: true });
        return type.createResolver(writer, { ignoreNamespaces: true });
      } catch (cause) {
        throw new RecordError(
          'SLC_RECORD_SCHEMA_INCOMPATIBLE',
          `${name}: the schema it was written with cannot be read: ${messageOf(cause)}`,
          { cause },
        );
      }
    },
  };
}

/** The schema with all that decides how its bytes are read: defaults and logical types included. */
function textOf(type: Type): string {
  return JSON.stringify(type.schema({ exportAttrs: true }));
}

/** avsc takes the parsed JSON of a schema; whether it is one, it finds out itself. */
function compile(definition: unknown, options: Parameters<typeof avsc.Type.forSchema>[1]): Type {
  return avsc.Type.forSchema(structuredClone(definition) as Parameters<typeof avsc.Type.forSchema>[0], options);
}

/** Lets avsc's record constructors make plain objects, equal to literals for every comparison. */
function plainRecords(type: Type, seen = new Set<Type>()): Type {
  if (seen.has(type)) return type;
  seen.add(type);
  const { types } = avsc;
  if (type instanceof types.RecordType) {
    type.recordConstructor.prototype = Object.prototype;
    for (const field of type.fields) plainRecords(field.type, seen);
  } else if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
    for (const branch of type.types) plainRecords(branch, seen);
  } else if (type instanceof types.ArrayType) {
    plainRecords(type.itemsType, seen);
  } else if (type instanceof types.MapType) {
    plainRecords(type.valuesType as Type, seen);
  }
  return type;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
