import { type Coordinate, originCoordinate } from './coordinate.ts';

/** The time that travels with a record besides its timestamp (TIME.md rule 4). */
export interface RecordTime {
  /** ow: the watermark of the record's origin partition at its own offset, ms; -Infinity before any clock. Decides whether it is late. */
  readonly originWatermark: number;
  /** co: where it comes from; a total order among records of equal timestamp. */
  readonly coordinate: Coordinate;
}

/** A copy that outlives the record being processed: its coordinate no longer points into a fetch buffer. */
export function keepTime(time: RecordTime): RecordTime {
  return { originWatermark: time.originWatermark, coordinate: Buffer.from(time.coordinate) };
}

/** The time of the record in hand: one object per slot, set anew for each record, so that a record costs no allocation for it. */
export class CurrentTime implements RecordTime {
  originWatermark = -Infinity;
  #coordinate: Coordinate | undefined;
  #topicNumber = 0;
  #partition = 0;
  #offset = 0;

  /** A record of an origin topic; its coordinate is made when somebody asks for it. */
  setOrigin(originWatermark: number, topicNumber: number, partition: number, offset: number): void {
    this.originWatermark = originWatermark;
    this.#coordinate = undefined;
    this.#topicNumber = topicNumber;
    this.#partition = partition;
    this.#offset = offset;
  }

  /** A record of a derived topic: its time came in its header. */
  setDerived(originWatermark: number, coordinate: Coordinate): void {
    this.originWatermark = originWatermark;
    this.#coordinate = coordinate;
  }

  get coordinate(): Coordinate {
    return (this.#coordinate ??= originCoordinate(this.#topicNumber, this.#partition, this.#offset));
  }
}
