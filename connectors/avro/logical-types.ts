/** Avro's logical types as Sluice represents them: decimal = bigint (unscaled), uuid = text, timestamps and dates = plain numbers. */
import avsc, { type Type } from 'avsc';

/** A value that its logical type does not allow. The message names no value: it may be a person's. */
export class LogicalTypeError extends Error {
  override name = 'LogicalTypeError';
}

interface LogicalSchema {
  readonly precision?: number;
  readonly scale?: number;
  readonly logicalType?: string;
}

type Schema = ConstructorParameters<typeof avsc.types.LogicalType>[0];
type ForSchemaOptions = NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>;

function isType(type: Type, ...names: string[]): boolean {
  return avsc.Type.isType(type, ...names);
}

/** Two's complement, big-endian; as short as possible when `size` is undefined, else sign-extended to it. */
export function decimalToBytes(value: bigint, size?: number): Buffer {
  let length = 1;
  for (let rest = value < 0n ? ~value : value; rest > 0x7fn; rest >>= 8n) length++;
  const bytes = Buffer.alloc(size ?? length);
  if (length > bytes.length) throw new LogicalTypeError(`the value does not fit into ${bytes.length} bytes`);
  let rest = value;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** The inverse of `decimalToBytes`. No bytes are 0, as in Java. */
export function bytesToDecimal(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n;
  if (bytes.length <= 6) return BigInt(bytes.readIntBE(0, bytes.length));
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}

/** decimal on bytes or fixed: a bigint of at most `precision` digits. Reads only what was written with its own scale. */
class DecimalType extends avsc.types.LogicalType {
  readonly scale: number;
  readonly #size: number | undefined;
  readonly #limit: bigint;
  readonly #precision: number;

  constructor(schema: Schema, options?: ForSchemaOptions) {
    super(schema, options);
    const { precision = 0, scale = 0 } = schema as unknown as LogicalSchema;
    const underlying = this.underlyingType;
    if (!isType(underlying, 'bytes', 'fixed')) throw new TypeError('a decimal must be bytes or fixed');
    if (!Number.isInteger(precision) || precision < 1 || !(scale >= 0 && scale <= precision)) {
      throw new TypeError(`a decimal needs precision >= 1 and scale <= precision, not ${precision} and ${scale}`);
    }
    this.scale = scale;
    this.#precision = precision;
    this.#limit = 10n ** BigInt(precision);
    this.#size = underlying instanceof avsc.types.FixedType ? underlying.size : undefined;
  }

  protected override _fromValue(bytes: Buffer): bigint {
    // avsc hands over undefined for a value cut off; it reports the truncation afterwards.
    return bytes === undefined ? 0n : bytesToDecimal(bytes);
  }

  protected override _toValue(value: unknown): Buffer {
    if (typeof value !== 'bigint') throw new LogicalTypeError(`a decimal is a bigint, not a ${typeof value}`);
    if (value >= this.#limit || value <= -this.#limit) {
      throw new LogicalTypeError(`a decimal with more than ${this.#precision} digits`);
    }
    return decimalToBytes(value, this.#size);
  }

  protected override _resolve(writer: Type): ((value: bigint) => bigint) | undefined {
    return writer instanceof DecimalType && writer.scale === this.scale ? (value) => value : undefined;
  }

  protected override _export(schema: Schema): void {
    Object.assign(schema, { precision: this.#precision, scale: this.scale });
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** uuid on string: checked both ways, since a foreign writer may put any text there. */
class UuidType extends avsc.types.LogicalType {
  protected override _fromValue(text: string): string {
    return text === undefined ? text : this._toValue(text);
  }

  protected override _toValue(text: unknown): string {
    if (typeof text !== 'string' || !UUID.test(text)) throw new LogicalTypeError('a uuid has the form 8-4-4-4-12');
    return text;
  }

  protected override _resolve(writer: Type): ((text: string) => string) | undefined {
    return writer instanceof UuidType || isType(writer, 'string') ? (text) => this._fromValue(text) : undefined;
  }
}

/**
 * Times and dates when schemas are compared: the numbers are kept as they are, so a reader of milliseconds must not read a writer's
 * microseconds. Plain numbers may be read as times (Debezium writes them so). Not used while records flow.
 */
class TimeType extends avsc.types.LogicalType {
  readonly #kind: string;

  constructor(schema: Schema, options?: ForSchemaOptions) {
    super(schema, options);
    this.#kind = (schema as unknown as LogicalSchema).logicalType ?? '';
  }

  protected override _fromValue(value: number): number {
    return value;
  }

  protected override _toValue(value: unknown): unknown {
    return value;
  }

  protected override _resolve(writer: Type): ((value: number) => number) | undefined {
    const same = writer instanceof TimeType ? writer.#kind === this.#kind : isType(writer, 'int', 'long');
    return same ? (value) => value : undefined;
  }
}

const TIME_TYPES = [
  'date',
  'time-millis',
  'time-micros',
  'timestamp-millis',
  'timestamp-micros',
  'timestamp-nanos',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'local-timestamp-nanos',
];

/** Debezium says the unit of a plain long in `connect.name`. */
const CONNECT_TIMES: Readonly<Record<string, string>> = {
  'io.debezium.time.MicroTimestamp': 'timestamp-micros',
  'io.debezium.time.NanoTimestamp': 'timestamp-nanos',
  'io.debezium.time.MicroTime': 'time-micros',
};

/** The part of avsc's cursor over bytes that SafeLong needs. */
interface Tap {
  readLong(): number;
  writeLong(value: number): void;
}

/** avsc computes 2n in a double: from here on neighbours become the same number, which avsc itself notices only beyond 2^53. */
const LONG_LIMIT = 2 ** 52;

function isExactLong(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= -LONG_LIMIT && (value as number) < LONG_LIMIT;
}

/** long on number: refuses, both ways, what it would not keep exactly. */
class SafeLongType extends avsc.types.LongType {
  _check(value: unknown, _flags: unknown, hook: ((value: unknown, type: Type) => void) | undefined): boolean {
    const exact = isExactLong(value);
    if (!exact && hook !== undefined) hook(value, this);
    return exact;
  }

  // Resolvers borrow this method: no `this` in it.
  _read(tap: Tap): number {
    const value = tap.readLong();
    if (!isExactLong(value)) throw new LogicalTypeError('a long that a number does not hold exactly');
    return value;
  }

  _write(tap: Tap, value: unknown): void {
    if (!isExactLong(value)) throw new LogicalTypeError('a long is a whole number in [-2^52, 2^52)');
    tap.writeLong(value);
  }
}

const VALUE_TYPES = { decimal: DecimalType, uuid: UuidType };

const COMPARE_TYPES = { ...VALUE_TYPES, ...Object.fromEntries(TIME_TYPES.map((name) => [name, TimeType])) };

/** How schemas are compiled to encode and decode with. New ones for each schema: avsc keeps the names it has seen in them. */
export function valueOptions(): Partial<ForSchemaOptions> {
  return {
    omitRecordMethods: true,
    logicalTypes: VALUE_TYPES,
    typeHook: (schema) => {
      const { type } = Object(schema) as Record<string, unknown>;
      return (schema as unknown) === 'long' || type === 'long' ? new SafeLongType() : undefined;
    },
  };
}

/** How schemas are compiled to be compared, writers' schemas among them. New ones for each schema. */
export function compareOptions(): Partial<ForSchemaOptions> {
  return {
    omitRecordMethods: true,
    logicalTypes: COMPARE_TYPES,
    typeHook: (schema, options) => {
      const { 'connect.name': name, logicalType } = Object(schema) as Record<string, unknown>;
      const unit = typeof name === 'string' && logicalType === undefined ? CONNECT_TIMES[name] : undefined;
      return unit === undefined ? undefined : avsc.Type.forSchema({ ...Object(schema), logicalType: unit }, options);
    },
  };
}
