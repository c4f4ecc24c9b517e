import { type Coordinate, ORIGIN_COORDINATE_BYTES, originCoordinate, writeOriginCoordinate } from './coordinate.ts';

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

/** A time whose coordinate can be written without being made. */
export interface WritableTime extends RecordTime {
  readonly coordinateBytes: number;
  writeCoordinate(bytes: Buffer, at: number): void;
}

/** The time of the record in hand: one object per slot, set anew for each record, so that a record costs no allocation for it. */
export class CurrentTime implements WritableTime {
  originWatermark = -Infinity;
  #coordinate: Coordinate | undefined;
  /** The buffer in which the header of a derived record lies, and its coordinate there. */
  #header: Buffer | undefined;
  #from = 0;
  #to = 0;
  #topicNumber = 0;
  #partition = 0;
  #offset = 0;

  /** A record of an origin topic; its coordinate is made when somebody asks for it. */
  setOrigin(originWatermark: number, topicNumber: number, partition: number, offset: number): void {
    this.originWatermark = originWatermark;
    this.#coordinate = undefined;
    this.#header = undefined;
    this.#topicNumber = topicNumber;
    this.#partition = partition;
    this.#offset = offset;
  }

  /** A record of a derived topic: its time came in its header, the coordinate is `header[from, to)`. */
  setDerived(originWatermark: number, header: Buffer, from: number, to: number): void {
    this.originWatermark = originWatermark;
    this.#coordinate = undefined;
    this.#header = header;
    this.#from = from;
    this.#to = to;
  }

  get coordinate(): Coordinate {
    return (this.#coordinate ??=
      this.#header?.subarray(this.#from, this.#to) ??
      originCoordinate(this.#topicNumber, this.#partition, this.#offset));
  }

  get coordinateBytes(): number {
    return this.#header === undefined ? ORIGIN_COORDINATE_BYTES : this.#to - this.#from;
  }

  writeCoordinate(bytes: Buffer, at: number): void {
    const header = this.#header;
    if (header === undefined) writeOriginCoordinate(bytes, at, this.#topicNumber, this.#partition, this.#offset);
    else for (let i = this.#from; i < this.#to; i++) bytes[at++] = header[i] as number;
  }
}
