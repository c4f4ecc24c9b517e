import type { Type } from 'avsc';
import { type Clock, NotReadyError, RecordError } from '#topology';
import type { RegistryClient, WriterSchema } from './registry-client.ts';

/** Limits of `WriterSchemas`. */
export interface WriterSchemasLimits {
  /** How long "there is no such schema" is believed, ms. */
  readonly unknownForMs: number;
  /** How many ids are remembered; the oldest goes first. */
  readonly maxIds: number;
}

type Entry = WriterSchema | { readonly unknownUntil: number };

/** The schemas that records were written with, by id: fetched once, asked for synchronously. Shared by the serdes of a factory. */
export class WriterSchemas {
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #limits: WriterSchemasLimits;
  readonly #entries = new Map<number, Entry>();
  readonly #fetches = new Map<number, Promise<void>>();

  constructor(client: RegistryClient, clock: Clock, limits: WriterSchemasLimits) {
    this.#client = client;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * The schema. Throws NotReadyError while it is being fetched (its `ready` rejects when the registry is away), RecordError
   * SLC_RECORD_SCHEMA_UNKNOWN or SLC_RECORD_SCHEMA_INCOMPATIBLE.
   */
  get(id: number): Type {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw this.#notReady(id);
    if ('type' in entry) return entry.type;
    if ('problem' in entry) {
      throw new RecordError('SLC_RECORD_SCHEMA_INCOMPATIBLE', `schema ${id} cannot be used: ${entry.problem}`);
    }
    if (this.#clock.now() >= entry.unknownUntil) throw this.#notReady(id);
    throw new RecordError('SLC_RECORD_SCHEMA_UNKNOWN', `the schema registry has no schema ${id}`, {
      hint: 'the record was written against another registry, or its schema was deleted for good',
    });
  }

  #notReady(id: number): NotReadyError {
    let fetch = this.#fetches.get(id);
    if (fetch === undefined) {
      fetch = this.#fetch(id).finally(() => this.#fetches.delete(id));
      // Whoever waits for it hears of a failure; a record that was dropped meanwhile waits for nothing.
      fetch.catch(() => undefined);
      this.#fetches.set(id, fetch);
    }
    return new NotReadyError(`schema ${id} is being fetched`, fetch);
  }

  async #fetch(id: number): Promise<void> {
    const found = await this.#client.find(id);
    this.#entries.delete(id);
    if (this.#entries.size >= this.#limits.maxIds) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(id, found ?? { unknownUntil: this.#clock.now() + this.#limits.unknownForMs });
  }
}
