import { createHash, timingSafeEqual } from 'node:crypto';

/** The keys that senders may present, compared in a time that depends neither on the key presented nor on which one it is. */
export class Keys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** `authorization: Bearer <key>`, else `x-api-key: <key>`. */
  admits(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
    const presented = keyIn(headers);
    if (presented === undefined) return false;
    const wanted = digest(presented);
    let found = false;
    for (const known of this.#digests) found = timingSafeEqual(known, wanted) || found;
    return found;
  }
}

function keyIn(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const { authorization, 'x-api-key': key } = headers;
  if (typeof authorization === 'string') return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  return typeof key === 'string' ? key : undefined;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
