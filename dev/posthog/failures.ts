/** Failures on demand of a capture server. */

/** What to do instead of answering as PostHog does. */
export interface Failure {
  /** A status to answer with; 'reset' cuts the connection, 'hang' never answers. */
  readonly status: number | 'reset' | 'hang';
  /** The header, seconds. */
  readonly retryAfter?: number;
  /** ms from now. */
  readonly forMs: number;
  /** Only for requests whose body has this text; counts before others, so that one event can be refused. */
  readonly matching?: string;
  /** The events are taken all the same: the answer was lost, not the request. */
  readonly taken?: boolean;
}

interface Planned extends Failure {
  readonly until: number;
}

/** Longer ones would be forgotten about. */
const MAX_MS = 3_600_000;
const MAX_FAILURES = 100;

export class Failures {
  #planned: Planned[] = [];

  /** Adds one; `forMs` 0 ends all. Throws TypeError for what is no failure. */
  add(failure: unknown): void {
    const checked = check(failure);
    if (checked.forMs === 0) this.#planned = [];
    else if (this.#planned.length < MAX_FAILURES) this.#planned.push({ ...checked, until: Date.now() + checked.forMs });
    else throw new TypeError(`more than ${MAX_FAILURES} failures at once`);
  }

  /** What a request with this body meets now. */
  for(body: string): Failure | undefined {
    const now = Date.now();
    this.#planned = this.#planned.filter(({ until }) => until > now);
    const matching = this.#planned.find((each) => each.matching !== undefined && body.includes(each.matching));
    return matching ?? this.#planned.findLast((each) => each.matching === undefined);
  }
}

function check(value: unknown): Failure {
  const { status, reset, hang, retryAfter, forMs, matching, taken } = Object(value) as Record<string, unknown>;
  const what = reset === true ? 'reset' : hang === true ? 'hang' : status;
  const isStatus = typeof what === 'number' && Number.isInteger(what) && what >= 200 && what <= 599;
  const ms = forMs === undefined ? Number.NaN : Number(forMs);
  if (!(ms >= 0 && ms <= MAX_MS)) throw new TypeError(`forMs: 0 to ${MAX_MS} ms`);
  if (ms > 0 && !isStatus && what !== 'reset' && what !== 'hang') {
    throw new TypeError('status (200 to 599), reset or hang: one of them says how to fail');
  }
  return {
    status: isStatus || what === 'reset' || what === 'hang' ? what : 500,
    forMs: ms,
    ...(typeof retryAfter === 'number' && { retryAfter }),
    ...(typeof matching === 'string' && matching !== '' && { matching }),
    ...(taken === true && { taken }),
  };
}
