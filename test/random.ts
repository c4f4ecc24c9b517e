/** Numbers in [0, 1) that are the same for the same seed: SLUICE_SEED, else a new one, which is printed. */
export function randomOf(name: string): { random: () => number; seed: number } {
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  process.stderr.write(`${name}: seed ${seed} (SLUICE_SEED=${seed} repeats it)\n`);
  return { random: mulberry32(seed), seed };
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
