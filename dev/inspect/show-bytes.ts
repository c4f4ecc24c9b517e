/** Bytes of keys, values and headers, made readable. */
import { isTimeHeader, originPlaceOf, RecordError, type RecordHeader, TIME_HEADER, watermarkOf } from '#topology';
import { iso } from './text-table.ts';

/** Reads Avro in Confluent's framing; see AvroViewer in connectors/avro, which is one. */
export interface ValueViewer {
  view(bytes: Buffer): { readonly schemaId: number; readonly value: unknown };
}

/** What bytes turned out to be. 'hex': they could not be read, `problem` says why. 'none': no key, or a tombstone. */
export interface Shown {
  readonly form: 'avro' | 'json' | 'text' | 'hex' | 'none';
  readonly value: unknown;
  readonly schemaId?: number;
  readonly problem?: string;
}

const NONE: Shown = { form: 'none', value: null };
const utf8 = new TextDecoder('utf-8', { fatal: true });
// What a terminal would take for something else than text.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/;

/** Makes bytes readable. */
export class ByteViewer {
  readonly #avro: ValueViewer | undefined;

  /** Without a registry Avro stays hex. */
  constructor(avro: ValueViewer | undefined) {
    this.#avro = avro;
  }

  /** 'must': the bytes have to be Avro; 'may': they are whatever they look like; 'never': text, JSON, or the engine's own. Throws NotReadyError. */
  show(bytes: Buffer | null, avro: 'must' | 'may' | 'never'): Shown {
    if (bytes === null) return NONE;
    const framed = bytes.length >= 5 && bytes[0] === 0;
    if (avro === 'never' || (avro === 'may' && !framed)) return textOf(bytes);
    if (this.#avro === undefined) return hex(bytes, 'no schema registry is known: set SLUICE_REGISTRY');
    try {
      return { form: 'avro', ...this.#avro.view(bytes) };
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return hex(bytes, `${error.message} [${error.code}]`);
    }
  }
}

/** JSON, else text, else hex. */
function textOf(bytes: Buffer): Shown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return hex(bytes, 'neither Avro nor text');
  }
  if (/^\s*[[{]/.test(text)) {
    try {
      return { form: 'json', value: JSON.parse(text) as unknown };
    } catch {
      // Text that only begins like JSON.
    }
  }
  return CONTROL.test(text) ? hex(bytes, 'neither Avro nor text') : { form: 'text', value: text };
}

function hex(bytes: Buffer, problem: string): Shown {
  return { form: 'hex', value: bytes.toString('hex'), problem };
}

/** Headers by name. `sluice-time` as {originWatermark, origin, coordinate}; a name that comes twice has a list. `topics`: the roster's. */
export function showHeaders(headers: readonly RecordHeader[], topics: readonly string[]): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, bytes] of headers) {
    const value = showHeader(name, bytes === null ? null : Buffer.from(bytes), topics);
    const before = shown[name];
    shown[name] = before === undefined ? value : [...(Array.isArray(before) ? (before as unknown[]) : [before]), value];
  }
  return shown;
}

function showHeader(name: string, bytes: Buffer | null, topics: readonly string[]): unknown {
  if (bytes === null) return null;
  if (name !== TIME_HEADER || !isTimeHeader(bytes)) return textOf(bytes).value;
  const coordinate = bytes.subarray(9);
  return {
    originWatermark: iso(watermarkOf(bytes)),
    origin: originText(coordinate, topics),
    coordinate: coordinate.toString('hex'),
  };
}

/** `topic-partition@offset` of the origin record that a coordinate names; null for finals and pairs, which have no single one. */
export function originText(coordinate: Buffer, topics: readonly string[]): string | null {
  const place = originPlaceOf(coordinate);
  if (place === undefined) return null;
  return `${topics[place.topicNumber] ?? `topic number ${place.topicNumber}`}-${place.partition}@${place.offset}`;
}
