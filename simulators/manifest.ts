/** What has arrived, one JSON line per event and per change, in the order of the answers. */
import { createWriteStream, fstatSync, mkdirSync, openSync, renameSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import type { SimChange } from './changes.ts';
import type { SimEvent } from './events.ts';

/** A line. `topic` is null for an event of which no topic knows. */
export interface ManifestLine {
  readonly id: string;
  readonly kind: string;
  readonly topic: string | null;
  readonly at: number;
  readonly flag: string;
  /** What somebody who watches logins has to find in it; absent for most. */
  readonly labels?: readonly string[];
}

export class Manifest {
  readonly path: string;
  readonly #maxBytes: number;
  #stream: WriteStream;
  #bytes = 0;
  /** Files that were renamed and are still being written. */
  readonly #ending = new Set<Promise<void>>();
  #failure: Error | undefined;

  /** Appends to what is there. Beyond `maxBytes` the file becomes `<path>.1`, which replaces the one before. */
  constructor(path: string, maxBytes: number = Number.POSITIVE_INFINITY) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#maxBytes = maxBytes;
    this.#stream = this.#open();
  }

  /** The disk is slower than the lines come: wait before more is made. Throws what went wrong in writing. */
  get full(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#stream.writableNeedDrain;
  }

  event({ id, kind, topic, at, flag, labels }: SimEvent): void {
    this.#write({ id, kind, topic, at, flag, ...(labels !== undefined && { labels }) });
  }

  change({ table, key, kind, at, flag }: SimChange): void {
    this.#write({ id: `${table}/${key}`, kind, topic: `bronze.shop.${table}`, at, flag });
  }

  /** Resolves when all is in the file. */
  async close(): Promise<void> {
    await Promise.all([...this.#ending, ended(this.#stream)]);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #write(line: ManifestLine): void {
    const text = `${JSON.stringify(line)}\n`;
    if (this.#bytes + text.length > this.#maxBytes) {
      // The stream goes on writing to the renamed file until its end.
      const ending = ended(this.#stream).finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
      renameSync(this.path, `${this.path}.1`);
      this.#stream = this.#open();
    }
    this.#bytes += text.length;
    this.#stream.write(text);
  }

  #open(): WriteStream {
    // Opened at once: the file is there when it is to be renamed.
    const fd = openSync(this.path, 'a');
    this.#bytes = fstatSync(fd).size;
    const stream = createWriteStream(this.path, { fd });
    stream.on('error', (error) => (this.#failure ??= error));
    return stream;
  }
}

/** Resolves when all is written and the file is closed, or writing has failed. */
function ended(stream: WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (stream.closed) resolve();
  else stream.once('close', () => resolve());
  stream.end();
  return promise;
}
