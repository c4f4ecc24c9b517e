/** What silver does with text that people typed. */

/** What the functions below leave, for contracts. */
export const FORM = {
  country: /^[A-Z]{2}$/,
  countryOrUnknown: /^([A-Z]{2}|unknown)$/,
  language: /^[a-z]{2}$/,
  lowerCase: /^[^\sA-Z]([^A-Z]*[^\sA-Z])?$/,
} as const;

/** Trimmed; null for nothing. */
export function text(value: string | null): string | null {
  const trimmed = value?.trim() ?? '';
  return trimmed === '' ? null : trimmed;
}

/** Trimmed and in lower case; null for nothing. */
export function emailAddress(value: string | null): string | null {
  return text(value)?.toLowerCase() ?? null;
}

/** ISO 3166 alpha-2 in upper case; null for anything else. */
export function countryCode(value: string | null): string | null {
  const code = value?.trim().toUpperCase() ?? '';
  return FORM.country.test(code) ? code : null;
}

/** ISO 639-1 in lower case; null for anything else. */
export function languageCode(value: string): string | null {
  const code = value.trim().toLowerCase();
  return FORM.language.test(code) ? code : null;
}

/** Trimmed and in lower case; 'unknown' for nothing. */
export function category(value: string | null): string {
  return text(value)?.toLowerCase() ?? 'unknown';
}
