/** The bytes of each element of a JSON array: what goes to a dead-letter topic is what the sender wrote, not what a parser made of it. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Elements of an array that is known to be valid JSON, without the white space around them; views of `array`. */
export function arrayElements(array: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < array.length; at++) {
    const byte = array[at] ?? 0;
    if (byte === QUOTE) {
      at = endOfString(array, at);
    } else if (OPEN.has(byte)) {
      if (++depth === 1) start = at + 1;
    } else if (CLOSE.has(byte)) {
      if (--depth === 0) push(elements, array, start, at);
    } else if (byte === COMMA && depth === 1) {
      push(elements, array, start, at);
      start = at + 1;
    }
  }
  return elements;
}

/** Position of the closing quote. */
function endOfString(bytes: Buffer, opening: number): number {
  let at = opening + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function push(elements: Buffer[], array: Buffer, from: number, to: number): void {
  let start = from;
  let end = to;
  while (start < end && isSpace(array[start])) start++;
  while (end > start && isSpace(array[end - 1])) end--;
  // Between the brackets of an empty array there is nothing.
  if (end > start) elements.push(array.subarray(start, end));
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
