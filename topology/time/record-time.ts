import { type Coordinate } from './coordinate.ts';

/** The time that travels with a record besides its timestamp (TIME.md rule 4). */
export interface RecordTime {
  /** ow: the watermark of the record's origin partition at its own offset, ms; -Infinity before any clock. Decides whether it is late. */
  readonly originWatermark: number;
  /** co: where it comes from; a total order among records of equal timestamp. */
  readonly coordinate: Coordinate;
}
