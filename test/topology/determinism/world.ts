/** Where determinism runs take place: the broker in memory under virtual time, or a real one. */
import type { Clock, KafkaClient } from '#topology';
import { FakeKafka, VirtualClock } from '#topology/testing';

/** Of virtual time: what takes longer has stopped. */
const LONGEST_MS = 60_000;

export interface World {
  readonly clock: Clock;
  client(): KafkaClient;
  /** Waits, letting time pass. */
  until<T>(promise: Promise<T>): Promise<T>;
}

/** A broker in memory whose time passes as fast as it can. */
export function virtualWorld(): World {
  const clock = new VirtualClock(1_000_000);
  const broker = new FakeKafka({ clock });
  return {
    clock,
    client: () => broker.client(),
    until: (promise) => clock.until(promise, LONGEST_MS),
  };
}
