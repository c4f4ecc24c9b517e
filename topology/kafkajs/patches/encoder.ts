import { requireKafkajs } from './replace-module.ts';

/** kafkajs/src/protocol/encoder.js: what its requests encode to. */
export interface Encoder {
  buf: Buffer;
  offset: number;
}

/** An encoder that holds these bytes and nothing else. */
export function encoderOf(bytes: Buffer): Encoder {
  const Encoder = requireKafkajs('kafkajs/src/protocol/encoder') as new (size: number) => Encoder;
  const encoder = new Encoder(1);
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
