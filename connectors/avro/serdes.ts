import type { Clock, Schema, SerdeFactory } from '#topology';
import { AvroSerde } from './avro-serde.ts';
import { compileReader } from './reader-type.ts';
import type { RegistryClient } from './registry-client.ts';
import { WriterSchemas } from './writer-schemas.ts';

/** Options of `serdesOver`; undefined = the default. */
export interface SerdesOptions {
  readonly clock: Clock;
  readonly unknownForMs?: number | undefined;
  readonly maxBytes?: number | undefined;
}

/** The factory over any registry. */
export function serdesOver(client: RegistryClient, options: SerdesOptions): SerdeFactory {
  const { clock, unknownForMs = 10_000, maxBytes = 900_000 } = options;
  const writers = new WriterSchemas(client, clock, { unknownForMs, maxIds: 10_000 });
  return {
    async open<T>(subject: string, schema: Schema<T>, use: { readonly write: boolean }): Promise<AvroSerde<T>> {
      const reader = compileReader(schema.name, schema.definition);
      const id = use.write ? await client.register(subject, schema) : undefined;
      return new AvroSerde<T>({ subject, reader, writers, id, maxBytes });
    },
  };
}
