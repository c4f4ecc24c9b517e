import { utf8 } from '../utf8.ts';
import { type Coordinate, FINAL_BYTES, finalCoordinate, writeFinalCoordinate } from './coordinate.ts';
import type { WritableTime } from './record-time.ts';

/** The time of what windows emit: one object for all of a node, set anew for each, so that a row costs no buffer for its coordinate. */
export class FinalTime implements WritableTime {
  originWatermark = -Infinity;
  readonly #storeNumber: number;
  #start = 0;
  #end = 0;
  #keyText = '';
  #key: Uint8Array | undefined;

  /** `storeNumber`: as finalCoordinate takes it. */
  constructor(storeNumber: number) {
    this.#storeNumber = storeNumber;
  }

  /** The window [start, end) of a key, ms. */
  set(originWatermark: number, start: number, end: number, keyText: string): void {
    this.originWatermark = originWatermark;
    this.#start = start;
    this.#end = end;
    this.#keyText = keyText;
    this.#key = undefined;
  }

  get coordinate(): Coordinate {
    return finalCoordinate(this.#storeNumber, this.#start, this.#end, this.#keyBytes);
  }

  get coordinateBytes(): number {
    return FINAL_BYTES + this.#keyBytes.length;
  }

  writeCoordinate(bytes: Buffer, at: number): void {
    writeFinalCoordinate(bytes, at, this.#storeNumber, this.#start, this.#end, this.#keyBytes);
  }

  get #keyBytes(): Uint8Array {
    return (this.#key ??= utf8(this.#keyText));
  }
}
