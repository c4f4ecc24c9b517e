/** The only file of topology/ that reads the wall clock or sets timers. Operators never do. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Resolves after `ms`, earlier when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Why a sleep is ended that is to go on: without a reason of one's own each end makes a DOMException with its stack. */
export const AWAKE = 'awake';

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
    }),
};
