/** CRC-32C (Castagnoli), slicing by 8: the checksum of record batches. */
const TABLES: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const [first] = tables;
  if (first === undefined) return tables;
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let j = 0; j < 8; j++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    first[i] = c;
  }
  for (let k = 1; k < 8; k++) {
    const table = tables[k];
    const before = tables[k - 1];
    if (table === undefined || before === undefined) continue;
    for (let i = 0; i < 256; i++) {
      const c = before[i] ?? 0;
      table[i] = (c >>> 8) ^ (first[c & 255] ?? 0);
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** The checksum of bytes[from, to), unsigned. */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let c = -1;
  let o = from;
  // Indexed reads of typed arrays within bounds: `| 0` only satisfies the compiler and costs nothing.
  for (const end = to - 7; o < end; o += 8) {
    c ^= byte(bytes, o) | (byte(bytes, o + 1) << 8) | (byte(bytes, o + 2) << 16) | (byte(bytes, o + 3) << 24);
    c =
      at(T7, c & 255) ^
      at(T6, (c >>> 8) & 255) ^
      at(T5, (c >>> 16) & 255) ^
      at(T4, c >>> 24) ^
      at(T3, byte(bytes, o + 4)) ^
      at(T2, byte(bytes, o + 5)) ^
      at(T1, byte(bytes, o + 6)) ^
      at(T0, byte(bytes, o + 7));
  }
  for (; o < to; o++) c = (c >>> 8) ^ at(T0, (c ^ byte(bytes, o)) & 255);
  return (c ^ -1) >>> 0;
}

const byte = (bytes: Uint8Array, i: number): number => bytes[i] as number;
const at = (table: Int32Array, i: number): number => table[i] as number;
