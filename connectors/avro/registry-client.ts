import type { Type } from 'avsc';
import type { Schema } from '#topology';

/** A schema that records were written with: compiled with `compareOptions`, or why it cannot be used (it will not change: ids are for good). */
export type WriterSchema = { readonly type: Type } | { readonly problem: string };

/** What the serdes ask of a registry. Calls are bounded in time; they reject with RetriableError SLC_REGISTRY_AWAY or ConfigError. */
export interface RegistryClient {
  /** Registers a schema and sees that its subject allows only compatible changes; its id. The same schema again has the same id. */
  register(subject: string, schema: Schema<unknown>): Promise<number>;
  /** The schema with this id; undefined when the registry answers that there is none. */
  find(id: number): Promise<WriterSchema | undefined>;
}
