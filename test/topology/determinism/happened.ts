/** What has happened to a run. */
export interface Happened {
  crashes: number;
  rebalances: number;
  failures: number;
  instances: number;
  /** Slots taken with a standby copy, and how many changelog records were restored then. */
  takeovers: number;
  restored: number;
  /** 1 once a partition was seen that waited for another one (rule 14). */
  waits: number;
}

/** At the beginning. */
export const NOTHING_HAPPENED: Happened = {
  crashes: 0,
  rebalances: 0,
  failures: 0,
  instances: 0,
  takeovers: 0,
  restored: 0,
  waits: 0,
};
