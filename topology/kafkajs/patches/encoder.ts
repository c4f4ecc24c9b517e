import { requireKafkajs } from './replace-module.ts';

/** kafkajs/src/protocol/encoder.js: what its requests encode to. */
export interface Encoder {
  buf: Buffer;
  offset: number;
}

let Loaded: (new (size: number) => Encoder) | undefined;

/** An encoder that holds these bytes and nothing else. */
export function encoderOf(bytes: Buffer): Encoder {
  // Once: to find a module that is loaded already took a twentieth of a live application's time.
  Loaded ??= requireKafkajs('kafkajs/src/protocol/encoder') as new (size: number) => Encoder;
  const encoder = new Loaded(1);
  encoder.buf = bytes;
  encoder.offset = bytes.length;
  return encoder;
}

/** Writes a string of the protocol, or null, and returns where it ends. */
export function writeString(bytes: Buffer, at: number, text: string | null): number {
  if (text === null) return bytes.writeInt16BE(-1, at);
  const next = bytes.writeInt16BE(Buffer.byteLength(text), at);
  return next + bytes.write(text, next);
}
