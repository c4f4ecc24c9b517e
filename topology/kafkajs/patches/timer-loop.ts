import { requireKafkajs } from './replace-module.ts';

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
}

const CHECK_MS = 10;

/**
 * Defect of kafkajs 2.2.4 on Node >= 20 (its issue #1751): an idle connection sets a timer with a negative delay, which fires after 1 ms, and sets the
 * next: 3 % of a core per idle producer, and a TimeoutNegativeWarning. Mended: no timer when nothing is pending and nothing throttled.
 */
export function mendTimerLoop(): void {
  const queue = requireKafkajs('kafkajs/src/network/requestQueue') as { prototype: object };
  Object.assign(queue.prototype, {
    scheduleCheckPendingRequests(this: RequestQueue): void {
      if (this.throttleCheckTimeoutId !== null && this.throttleCheckTimeoutId !== undefined) return;
      let delay = this.throttledUntil - Date.now();
      if (this.pending.length > 0) delay = delay > 0 ? delay : CHECK_MS;
      else if (delay <= 0) return;
      this.throttleCheckTimeoutId = setTimeout(() => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      }, delay);
    },
  });
}
