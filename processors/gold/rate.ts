/** a / b to the nearest whole number, halves up; b > 0. */
export function roundHalfUp(a: bigint, b: bigint): bigint {
  const twice = 2n * a + b;
  const quotient = twice / (2n * b);
  return twice < 0n && twice % (2n * b) !== 0n ? quotient - 1n : quotient;
}

/** part / whole in ten-thousandths (a decimal of scale 4), rounded half up; 0 of nothing. */
export function rateOf(part: number, whole: number): bigint {
  return whole === 0 ? 0n : roundHalfUp(10_000n * BigInt(part), BigInt(whole));
}

/** (now - before) / before in ten-thousandths (a decimal of scale 4), rounded half up; null where there was nothing before. */
export function changeOf(now: bigint, before: bigint): bigint | null {
  return before === 0n ? null : roundHalfUp(10_000n * (now - before), before);
}
