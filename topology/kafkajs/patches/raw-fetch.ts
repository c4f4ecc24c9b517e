import { decodeFetch, encodeFetch, type FetchRequest } from './fetch-v11.ts';
import { replaceModule } from './replace-module.ts';

interface Decoder {
  readInt32(): number;
  canReadBytes(length: number): boolean;
  readBytes(length: number): Buffer;
}

/** What a fetch response holds for a partition under the patch: no record objects, but the bytes. */
export interface RawMessages extends ReadonlyArray<never> {
  readonly raw?: Buffer;
}

/**
 * kafkajs decodes every record of a fetch into an object (1.9 CPU-s per million), and its abort filter leaks: it takes the broker's aborted
 * transactions in the wrong order, at most one per message, and takes a record with the key 00 00 00 00 for an abort marker. Under the patch the bytes
 * come as they are (record-batch/parse.ts filters by batch). kafkajs's own consumer, which this driver uses for its membership only, sees no records.
 */
export function mendFetch(): void {
  replaceModule(
    'protocol/requests/fetch/v4/decodeMessages.js',
    'd9fede59bebf',
    () =>
      (decoder: Decoder): Promise<RawMessages> => {
        const size = decoder.readInt32();
        if (size <= 0 || !decoder.canReadBytes(size)) return Promise.resolve([]);
        return Promise.resolve(Object.assign([], { raw: decoder.readBytes(size) }));
      },
  );
  replaceModule<(request: FetchRequest) => object>(
    'protocol/requests/fetch/v11/request.js',
    'e652bb05ffab',
    (original) => (request) => ({ ...original(request), encode: () => Promise.resolve(encodeFetch(request)) }),
  );
  replaceModule<object>('protocol/requests/fetch/v11/response.js', '9cb972647500', (original) => ({
    ...original,
    decode: (bytes: Buffer) => Promise.resolve(decodeFetch(bytes)),
  }));
}
