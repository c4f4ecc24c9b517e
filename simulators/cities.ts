/** Where people log in from: real places, so that distances and the time that a journey takes are real ones too. */
export interface City {
  /** ISO 3166 alpha-2. */
  readonly country: string;
  /** Degrees. */
  readonly latitude: number;
  readonly longitude: number;
}

type Cities = readonly [City, ...City[]];

const at = (country: string, latitude: number, longitude: number): City => ({ country, latitude, longitude });

/** Where users live, and a place abroad that is so near (below 450 km) that one may be there within any time. */
export const HOMES: readonly [{ readonly city: City; readonly abroad: City }, ...{ city: City; abroad: City }[]] = [
  { city: at('DE', 52.52, 13.405), abroad: at('CZ', 50.0755, 14.4378) }, // Berlin, Prague
  { city: at('FR', 48.8566, 2.3522), abroad: at('BE', 50.8503, 4.3517) }, // Paris, Brussels
  { city: at('GB', 51.5074, -0.1278), abroad: at('BE', 50.8503, 4.3517) }, // London, Brussels
  { city: at('ES', 40.4168, -3.7038), abroad: at('PT', 41.1579, -8.6291) }, // Madrid, Porto
  { city: at('IT', 45.4642, 9.19), abroad: at('CH', 47.3769, 8.5417) }, // Milan, Zurich
  { city: at('PL', 52.2297, 21.0122), abroad: at('LT', 54.6872, 25.2797) }, // Warsaw, Vilnius
  { city: at('NL', 52.3676, 4.9041), abroad: at('LU', 49.6116, 6.1319) }, // Amsterdam, Luxembourg
  { city: at('US', 42.3314, -83.0458), abroad: at('CA', 43.6532, -79.3832) }, // Detroit, Toronto
  { city: at('JP', 33.5902, 130.4017), abroad: at('KR', 35.1796, 129.0756) }, // Fukuoka, Busan
  { city: at('BR', -25.5163, -54.5854), abroad: at('PY', -25.2637, -57.5759) }, // Foz do Iguacu, Asuncion
];

/** Far from every home: where people go on holiday. */
export const RESORTS: Cities = [
  at('IS', 64.1466, -21.9426),
  at('AE', 25.2048, 55.2708),
  at('TH', 13.7563, 100.5018),
  at('MU', -20.1609, 57.5012),
  at('CU', 23.1136, -82.3666),
];

/** Far from every home and every resort: where strangers come from. */
export const FAR_CITIES: Cities = [
  at('NG', 6.5244, 3.3792),
  at('IN', 19.076, 72.8777),
  at('AU', -33.8688, 151.2093),
  at('CO', 4.711, -74.0721),
  at('ZA', -33.9249, 18.4241),
  at('KZ', 43.222, 76.8512),
  at('NZ', -36.8509, 174.7645),
  at('KE', -1.2921, 36.8219),
  at('CL', -33.4489, -70.6693),
  at('ID', -6.2088, 106.8456),
];

const EARTH_RADIUS_KM = 6_371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Along a great circle. */
export function distanceKm(a: City, b: City): number {
  const half = (from: number, to: number): number => Math.sin(radians(to - from) / 2) ** 2;
  const cosines = Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude));
  const h = half(a.latitude, b.latitude) + cosines * half(a.longitude, b.longitude);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(h));
}
