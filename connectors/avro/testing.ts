/** Test double: Avro without a registry server. */
import avsc from 'avsc';
import { type Schema, type SerdeFactory, systemClock } from '#topology';
import { compareOptions } from './logical-types.ts';
import type { RegistryClient, WriterSchema } from './registry-client.ts';
import { serdesOver } from './serdes.ts';

/** A registry in memory: ids from 1, the same definition has the same id. Checks no compatibility. */
export class MemoryRegistry implements RegistryClient {
  readonly #ids = new Map<string, number>();
  readonly #schemas: WriterSchema[] = [];

  register(_subject: string, schema: Schema<unknown>): Promise<number> {
    const text = JSON.stringify(schema.definition);
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#schemas.push({ type: avsc.Type.forSchema(JSON.parse(text), compareOptions()) });
      this.#ids.set(text, id);
    }
    return Promise.resolve(id);
  }

  find(id: number): Promise<WriterSchema | undefined> {
    return Promise.resolve(this.#schemas[id - 1]);
  }
}

/** The serdes of `createAvroSerdes` over a registry in memory. Factories that share a registry read each other's bytes. */
export function testSerdes(registry: RegistryClient = new MemoryRegistry()): SerdeFactory {
  return serdesOver(registry, { clock: systemClock });
}
