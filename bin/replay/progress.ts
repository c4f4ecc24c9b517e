/** How fast a replay is and when it will be done, for people and for machines. */
import type { ReplayProgress } from '#topology';

/** One sample. Times are ms; `null`: not known (yet). */
export interface ProgressLine {
  readonly type: 'progress';
  readonly done: number;
  readonly total: number;
  readonly percent: number;
  /** Records of the input per second, lately. */
  readonly recordsPerSecond: number;
  /** Event time up to which all input is read, ISO 8601. */
  readonly eventTime: string | null;
  /** Event time per wall time since the first sample: live has 1. */
  readonly speedUp: number | null;
  readonly etaSeconds: number | null;
  /** Slots that another process has: it ends the replay, or its session must end first. */
  readonly slotsElsewhere: number;
}

interface Sample {
  readonly at: number;
  readonly done: number;
  readonly eventTime: number;
}

/** The rate is that of the last samples. */
const WINDOW = 5;

export class ProgressMeter {
  readonly #samples: Sample[] = [];
  #first: Sample | undefined;
  #eventTime = -Infinity;

  /** `at` = now, ms. */
  take({ done, total, eventTime, slots }: ReplayProgress, at: number): ProgressLine {
    // Slots that are taken anew begin at their last commit.
    if (eventTime > this.#eventTime) this.#eventTime = eventTime;
    const sample = { at, done, eventTime: this.#eventTime };
    this.#samples.push(sample);
    if (this.#samples.length > WINDOW) this.#samples.shift();
    if (this.#first === undefined && Number.isFinite(sample.eventTime)) this.#first = sample;
    const [oldest = sample] = this.#samples;
    const seconds = (at - oldest.at) / 1_000;
    const rate = seconds > 0 ? Math.max(0, (done - oldest.done) / seconds) : 0;
    return {
      type: 'progress',
      done,
      total,
      percent: total === 0 ? 100 : Math.floor((1_000 * done) / total) / 10,
      recordsPerSecond: Math.round(rate),
      eventTime: Number.isFinite(sample.eventTime) ? new Date(sample.eventTime).toISOString() : null,
      speedUp: this.#speedUp(sample),
      etaSeconds: done >= total ? 0 : rate > 0 ? Math.ceil((total - done) / rate) : null,
      slotsElsewhere: slots.all - slots.here,
    };
  }

  #speedUp({ at, eventTime }: Sample): number | null {
    const first = this.#first;
    if (first === undefined || at <= first.at || !Number.isFinite(eventTime)) return null;
    const speedUp = Math.round((eventTime - first.eventTime) / (at - first.at));
    return speedUp > 0 ? speedUp : null;
  }
}

/** One line for people. */
export function progressText(line: ProgressLine): string {
  const { done, total, percent, recordsPerSecond, eventTime, speedUp, etaSeconds, slotsElsewhere } = line;
  const parts = [
    `${percent.toFixed(1).padStart(5)} %`,
    `${done.toLocaleString('en')} of ${total.toLocaleString('en')} offsets`,
    `${recordsPerSecond.toLocaleString('en')}/s`,
    ...(eventTime === null ? [] : [`event time ${eventTime.slice(0, 19)}Z`]),
    ...(speedUp === null ? [] : [`${speedUp.toLocaleString('en')} times live`]),
    ...(etaSeconds === null || etaSeconds === 0 ? [] : [`${etaSeconds} s to go`]),
    ...(slotsElsewhere === 0 ? [] : [`waits for ${slotsElsewhere} slots that another process has or had a moment ago`]),
  ];
  return parts.join('  ');
}
