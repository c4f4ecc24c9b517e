/** Avro by hand, for the benchmark's own data: ASCII text and whole numbers in the Confluent framing. */
const START_BYTES = 1_024;
const FRAME_BYTES = 5;

export class AvroWriter {
  readonly #bytes = Buffer.alloc(START_BYTES);
  #size = FRAME_BYTES;

  constructor(schemaId: number) {
    this.#bytes.writeUInt32BE(schemaId, 1);
  }

  /** Begins a value; what `view` gave before is overwritten. */
  start(): this {
    this.#size = FRAME_BYTES;
    return this;
  }

  long(n: number): this {
    let rest = n < 0 ? -n * 2 - 1 : n * 2;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.#size++] = (rest % 128) | 128;
    this.#bytes[this.#size++] = rest;
    return this;
  }

  text(ascii: string): this {
    this.long(ascii.length);
    this.#size += this.#bytes.write(ascii, this.#size, 'latin1');
    return this;
  }

  view(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }
}

/** Reads what AvroWriter (or anybody) wrote, behind the frame. */
export class AvroReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  open(bytes: Buffer): this {
    this.#bytes = bytes;
    this.#at = FRAME_BYTES;
    return this;
  }

  /** Of the next field. */
  get position(): number {
    return this.#at;
  }

  long(): number {
    let unsigned = 0;
    let byte = 128;
    for (let scale = 1; byte > 127; scale *= 128) {
      byte = this.#bytes[this.#at++] ?? 0;
      unsigned += (byte & 127) * scale;
    }
    return unsigned % 2 === 1 ? -(unsigned + 1) / 2 : unsigned / 2;
  }

  text(): string {
    const length = this.long();
    this.#at += length;
    return this.#bytes.toString('latin1', this.#at - length, this.#at);
  }
}
