/**
 * The origin coordinate of a record (TIME.md rule 4): bytes whose lexicographic order is the canonical order among records of equal timestamp.
 *   origin record: topic number u16 | partition u16 | offset u64 | index u16 per flatMap that split it      (12 bytes + 2 per split)
 *   final:         0x8000 + topic number u16 | window start i64 (sign flipped) | window end i64 (sign flipped) | key bytes
 *   pair:          0xffff | left coordinate length u16 | left coordinate | right coordinate                  (absent side: empty)
 */

import { writeInt64, writeSortableInt64 } from '../int64.ts';

/** Opaque: compare with compareCoordinates only. Never changed after it is made. */
export type Coordinate = Buffer & { readonly brand?: 'coordinate' };

/** Of a record of an origin topic that no flatMap has split. */
export const ORIGIN_COORDINATE_BYTES = 12;

const FINAL_BIT = 0x8000;
/** Of a final's coordinate, before the key. */
export const FINAL_BYTES = 18;
/** Like a final it is no place in an origin topic; no topic has this number. */
const PAIR = 0xffff;
const SIGN = 1n << 63n;

/** The coordinate of a record of an origin topic; `topicNumber` is the topic's place in the roster's append-only list. */
export function originCoordinate(topicNumber: number, partition: number, offset: number): Coordinate {
  const bytes = Buffer.allocUnsafe(ORIGIN_COORDINATE_BYTES);
  writeOriginCoordinate(bytes, 0, topicNumber, partition, offset);
  return bytes;
}

/** As originCoordinate, into `bytes` at `at`. */
export function writeOriginCoordinate(
  bytes: Uint8Array,
  at: number,
  topicNumber: number,
  partition: number,
  offset: number,
): void {
  writeUint16(bytes, topicNumber, at);
  writeUint16(bytes, partition, at + 2);
  writeInt64(bytes, offset, at + 4);
}

function writeUint16(bytes: Uint8Array, value: number, at: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** The coordinate of the index-th of several records made from one. */
export function splitCoordinate(coordinate: Coordinate, index: number): Coordinate {
  const bytes = Buffer.allocUnsafe(coordinate.length + 2);
  coordinate.copy(bytes);
  bytes.writeUInt16BE(Math.min(index, 0xffff), coordinate.length);
  return bytes;
}

/** The coordinate of what a window emits when it closes: a function of the window and the key alone. */
export function finalCoordinate(topicNumber: number, start: number, end: number, key: Uint8Array): Coordinate {
  const bytes = Buffer.allocUnsafe(FINAL_BYTES + key.length);
  writeFinalCoordinate(bytes, 0, topicNumber, start, end, key);
  return bytes;
}

/** As finalCoordinate, into `bytes` at `at`: FINAL_BYTES and the key. */
export function writeFinalCoordinate(
  bytes: Uint8Array,
  at: number,
  topicNumber: number,
  start: number,
  end: number,
  key: Uint8Array,
): void {
  writeUint16(bytes, FINAL_BIT | topicNumber, at);
  writeSortableInt64(bytes, start, at + 2);
  writeSortableInt64(bytes, end, at + 10);
  for (let i = 0; i < key.length; i++) bytes[at + FINAL_BYTES + i] = key[i] as number;
}

/** Where the record of a coordinate lies; undefined for a final or a pair, which are made of several. The topic number is its place in the roster's list. */
export function originPlaceOf(
  coordinate: Buffer,
): { readonly topicNumber: number; readonly partition: number; readonly offset: bigint } | undefined {
  if (coordinate.length < 12) return undefined;
  const topicNumber = coordinate.readUInt16BE(0);
  if ((topicNumber & FINAL_BIT) !== 0) return undefined;
  return { topicNumber, partition: coordinate.readUInt16BE(2), offset: coordinate.readBigUInt64BE(4) };
}

/** The coordinate of two records joined; empty = no record on that side. */
export function pairCoordinate(left: Coordinate, right: Coordinate): Coordinate {
  const bytes = Buffer.allocUnsafe(4 + left.length + right.length);
  bytes.writeUInt16BE(PAIR, 0);
  bytes.writeUInt16BE(left.length, 2);
  left.copy(bytes, 4);
  right.copy(bytes, 4 + left.length);
  return bytes;
}

/** The window that a final's coordinate names, ms since the epoch; undefined for the coordinate of an origin record. */
export function windowOfCoordinate(
  coordinate: Coordinate,
): { readonly start: number; readonly end: number } | undefined {
  if (coordinate.length < 18 || (coordinate.readUInt16BE(0) & FINAL_BIT) === 0) return undefined;
  const instant = (at: number): number => Number(BigInt.asIntN(64, coordinate.readBigUInt64BE(at) ^ SIGN));
  return { start: instant(2), end: instant(10) };
}

/** Negative, zero or positive, as for Array.sort. */
export function compareCoordinates(a: Coordinate, b: Coordinate): number {
  return Buffer.compare(a, b);
}
