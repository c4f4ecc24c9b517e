const DAY_MS = 86_400_000;

/** Full years between a birth date (days since the epoch) and an instant (ms), by the UTC calendar. */
export function ageAt(birthDate: number, instant: number): number {
  const born = new Date(birthDate * DAY_MS);
  const now = new Date(instant);
  const years = now.getUTCFullYear() - born.getUTCFullYear();
  const hadBirthday = now.getUTCMonth() * 100 + now.getUTCDate() >= born.getUTCMonth() * 100 + born.getUTCDate();
  return hadBirthday ? years : years - 1;
}

/** The age band at an instant; 'unknown' without a birth date. */
export function ageBandAt(birthDate: number | null | undefined, instant: number): string {
  if (birthDate === null || birthDate === undefined) return 'unknown';
  const age = ageAt(birthDate, instant);
  if (age < 18) return 'under-18';
  if (age <= 24) return '18-24';
  if (age <= 34) return '25-34';
  if (age <= 44) return '35-44';
  if (age <= 54) return '45-54';
  if (age <= 64) return '55-64';
  return '65+';
}
