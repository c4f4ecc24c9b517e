/**
 * UTF-8 of short texts. Keys and numbers are ASCII nearly always, and a loop over a few characters is cheaper than a call into Node's
 * encoder: 28 % less CPU for R2 and 19 % less for R3 than with TextEncoder (npm run bench:operators).
 */
const LOOP_CHARS = 64;

/** The UTF-8 bytes of a text, in a buffer of their own; what is no text in Unicode (half a surrogate pair) becomes U+FFFD. */
export function utf8(text: string): Buffer {
  return utf8Behind(0, text);
}

/** Writes the UTF-8 bytes of a text; `bytes` has room for three per character. Returns where they end. */
export function writeUtf8(text: string, bytes: Buffer, at: number): number {
  const { length } = text;
  if (length <= LOOP_CHARS) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      bytes[at + i] = code;
    }
    if (i === length) return at + length;
  }
  return at + bytes.write(text, at);
}

/** As utf8, behind `room` bytes of anything. */
export function utf8Behind(room: number, text: string): Buffer {
  const { length } = text;
  if (length <= LOOP_CHARS) {
    const bytes = Buffer.allocUnsafe(room + length);
    let at = 0;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) break;
      bytes[room + at] = code;
    }
    if (at === length) return bytes;
  }
  const bytes = Buffer.allocUnsafe(room + Buffer.byteLength(text));
  bytes.write(text, room);
  return bytes;
}
