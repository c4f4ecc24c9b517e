/** The raw requests of a capture server: one JSON object a line, appended, up to a size. */
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A request as it came, its body decompressed. */
export interface RawRequest {
  /** When it was received, ms. */
  readonly at: number;
  readonly path: string;
  readonly body: unknown;
}

const FILE = 'requests.ndjson';

export class RequestLog {
  readonly path: string;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #bytes = 0;
  #full = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(dir: string, maxBytes: number) {
    mkdirSync(dir, { recursive: true });
    this.path = join(dir, FILE);
    this.#maxBytes = maxBytes;
  }

  /** Why requests are no longer kept; undefined while they are. */
  get trouble(): string | undefined {
    if (!this.#full) return undefined;
    return `${this.path} has its ${Math.round(this.#maxBytes / 1e6)} MB: newer requests are not kept there. Stop, delete it, start again.`;
  }

  /** Hands over what earlier runs have kept. A last line that a crash has cut off is left out. */
  async open(take: (request: RawRequest) => void): Promise<void> {
    let cut = false;
    if (existsSync(this.path)) {
      for await (const line of createInterface({ input: createReadStream(this.path) })) {
        const request = parse(line);
        cut = request === undefined;
        if (request !== undefined) take(request);
      }
    }
    this.#file = await open(this.path, 'a');
    this.#bytes = statSync(this.path).size;
    if (cut) await this.#append('\n');
  }

  /** Resolves when it is in the file, or the file is full. */
  keep(request: RawRequest): Promise<void> {
    const turn = this.#last.then(() => this.#append(`${JSON.stringify(request)}\n`));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
  }

  async #append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#full ||= this.#bytes + bytes.length > this.#maxBytes;
    if (this.#full) return;
    await this.#file?.appendFile(bytes);
    this.#bytes += bytes.length;
  }
}

function parse(line: string): RawRequest | undefined {
  try {
    return JSON.parse(line) as RawRequest;
  } catch {
    return undefined;
  }
}
