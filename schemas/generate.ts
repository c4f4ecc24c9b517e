/**
 * Writes schemas/generated.ts from schemas/*.avsc: `npm run generate`. With --check it only says whether that is needed.
 *
 * One interface per record, named after the file (bronze.shop.users.avsc -> BronzeShopUsers) and, for a record within it, the file and
 * the record (BronzeShopUsersValue). Types as the serdes give them: decimal -> bigint (unscaled), timestamp-millis, date, long, int, float
 * and double -> number, uuid -> string, ["null", T] -> T | null. Other unions are refused: their values would have to be wrapped.
 * The definitions are embedded, so that a compiled build needs no files beside it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What to type to bring schemas/generated.ts up to date. */
export const GENERATE_COMMAND = 'npm run generate';

interface AvroField {
  readonly name: string;
  readonly type: unknown;
  readonly doc?: string;
  readonly default?: unknown;
}

interface AvroObject {
  readonly type: unknown;
  readonly name?: string;
  readonly doc?: string;
  readonly logicalType?: string;
  readonly fields?: readonly AvroField[];
  readonly items?: unknown;
  readonly values?: unknown;
  readonly symbols?: readonly string[];
  readonly scale?: number;
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Uint8Array',
  string: 'string',
};

const LOGICAL: Readonly<Record<string, string>> = {
  decimal: 'bigint',
  'timestamp-millis': 'number',
  date: 'number',
  uuid: 'string',
};

/** What a number means, for the doc comment of a field whose schema says nothing. */
const UNITS: Readonly<Record<string, string>> = {
  'timestamp-millis': 'ms since the epoch',
  date: 'days since the epoch',
};

function pascalCase(text: string): string {
  return text
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('');
}

function comment(text: string, indent: string): string {
  return text === '' ? '' : `${indent}/** ${text.replaceAll('*/', '* /')} */\n`;
}

/** Turns one file into interfaces. A class because Avro names a record once and refers to it by name later in the same file. */
class FileTypes {
  readonly interfaces: string[] = [];
  readonly #root: string;
  readonly #named = new Map<string, string>();

  constructor(file: string) {
    this.#root = pascalCase(file);
  }

  typeOf(type: unknown): string {
    if (typeof type === 'string') return this.#nameOf(type);
    if (Array.isArray(type)) return this.#nullable(type);
    const object = type as AvroObject;
    const logical = object.logicalType === undefined ? undefined : LOGICAL[object.logicalType];
    if (logical !== undefined) return logical;
    switch (object.type) {
      case 'record':
        return this.record(object, this.#root + pascalCase(object.name ?? ''));
      case 'array':
        return `readonly ${wrap(this.typeOf(object.items))}[]`;
      case 'map':
        return `Readonly<Record<string, ${this.typeOf(object.values)}>>`;
      case 'enum':
        return this.#name(object, (object.symbols ?? []).map((symbol) => `'${symbol}'`).join(' | '));
      case 'fixed':
        return this.#name(object, 'Uint8Array');
      default:
        return this.typeOf(object.type);
    }
  }

  record(record: AvroObject, name: string): string {
    this.#name(record, name);
    const fields = (record.fields ?? []).map(
      (field) => `${comment(docOf(field), '  ')}  readonly ${field.name}: ${this.typeOf(field.type)};\n`,
    );
    this.interfaces.push(`${comment(record.doc ?? '', '')}export interface ${name} {\n${fields.join('')}}\n`);
    return name;
  }

  #name(object: AvroObject, typeScript: string): string {
    if (object.name !== undefined) this.#named.set(object.name, typeScript);
    return typeScript;
  }

  #nameOf(name: string): string {
    const found = PRIMITIVES[name] ?? this.#named.get(name.slice(name.lastIndexOf('.') + 1));
    if (found === undefined) throw new Error(`${this.#root}: type ${JSON.stringify(name)} is not known at its place`);
    return found;
  }

  #nullable(union: readonly unknown[]): string {
    const others = union.filter((branch) => branch !== 'null');
    if (union.length !== 2 || others.length !== 1) {
      throw new Error(`${this.#root}: only unions of null and one type can be used, not ${JSON.stringify(union)}`);
    }
    return `${this.typeOf(others[0])} | null`;
  }
}

function wrap(type: string): string {
  return type.includes(' ') ? `(${type})` : type;
}

function docOf(field: AvroField): string {
  const object = logicalOf(field.type);
  const unit = object?.logicalType === 'decimal' ? decimalUnit(object) : UNITS[object?.logicalType ?? ''];
  return [field.doc, unit].filter((part) => part !== undefined).join('; ');
}

function decimalUnit(object: AvroObject): string {
  return `unscaled, ${object.scale ?? 0} digits after the point`;
}

function logicalOf(type: unknown): AvroObject | undefined {
  if (Array.isArray(type)) return type.map(logicalOf).find((found) => found !== undefined);
  if (typeof type !== 'object' || type === null) return undefined;
  return (type as AvroObject).logicalType === undefined ? undefined : (type as AvroObject);
}

/** The text of generated.ts. `files`: name without `.avsc` -> the file's text. */
export function generate(files: ReadonlyMap<string, string>): string {
  const interfaces: string[] = [];
  const types: string[] = [];
  const definitions: string[] = [];
  for (const [name, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const definition = JSON.parse(text) as AvroObject;
    if (definition.type !== 'record') throw new Error(`${name}.avsc: the outermost type must be a record`);
    const file = new FileTypes(name);
    types.push(`  readonly '${name}': ${file.record(definition, pascalCase(name))};`);
    interfaces.push(...file.interfaces);
    definitions.push(`  '${name}': ${JSON.stringify(definition)},`);
  }
  return [
    `// Written by \`${GENERATE_COMMAND}\` from schemas/*.avsc. Do not edit.\n`,
    ...interfaces,
    '/** The type of each schema, by the name of its file. */',
    `export interface SchemaTypes {\n${types.join('\n')}\n}\n`,
    '/** The text of each schema, parsed. */',
    `export const definitions: Readonly<Record<keyof SchemaTypes, object>> = {\n${definitions.join('\n')}\n};\n`,
  ].join('\n');
}

/** All schemas of a folder: name without `.avsc` -> text. */
export function readSchemaFiles(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((file) => file.endsWith('.avsc'));
  return new Map(names.map((file) => [file.slice(0, -'.avsc'.length), readFileSync(join(folder, file), 'utf8')]));
}

if (import.meta.main) {
  const file = join(import.meta.dirname, 'generated.ts');
  const text = generate(readSchemaFiles(import.meta.dirname));
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (text !== readFileSync(file, 'utf8')) {
    process.stderr.write(`schemas/generated.ts is not what schemas/*.avsc say: ${GENERATE_COMMAND}\n`);
    process.exitCode = 1;
  }
}
