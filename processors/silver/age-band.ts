const DAY_MS = 86_400_000;

/** Full years between a birth date (days since the epoch) and an instant (ms), by the UTC calendar. */
export function ageAt(birthDate: number, instant: number): number {
  const born = new Date(birthDate * DAY_MS);
  const now = new Date(instant);
  const years = now.getUTCFullYear() - born.getUTCFullYear();
  const hadBirthday = now.getUTCMonth() * 100 + now.getUTCDate() >= born.getUTCMonth() * 100 + born.getUTCDate();
  return hadBirthday ? years : years - 1;
}

/** From that age on, youngest last. */
const BANDS = [
  [65, '65+'],
  [55, '55-64'],
  [45, '45-54'],
  [35, '35-44'],
  [25, '25-34'],
  [18, '18-24'],
] as const;
const YOUNGEST = 'under-18';
const UNKNOWN = 'unknown';

/** What `ageBandAt` and `ageBandOf` give. */
export const AGE_BANDS: readonly string[] = [...BANDS.map(([, band]) => band), YOUNGEST, UNKNOWN];

/** The age band at an instant; 'unknown' without a birth date. */
export function ageBandAt(birthDate: number | null | undefined, instant: number): string {
  if (birthDate === null || birthDate === undefined) return UNKNOWN;
  const age = ageAt(birthDate, instant);
  return BANDS.find(([least]) => age >= least)?.[1] ?? YOUNGEST;
}

/** The age band that somebody has stated; 'unknown' for anything that is none. */
export function ageBandOf(written: string | null): string {
  const band = written?.trim().toLowerCase() ?? '';
  return AGE_BANDS.includes(band) ? band : UNKNOWN;
}
