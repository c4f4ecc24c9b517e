/** The stream of events from the server, opened again for as long as the page is open. */
import type { HistoryPoint, Snapshot, TopologyNow } from '../snapshot.ts';

/** What the page does with what comes. */
export interface Listener {
  onTopology(topology: TopologyNow): void;
  onHistory(points: readonly HistoryPoint[]): void;
  onSnapshot(snapshot: Snapshot): void;
  /** `lost`: nothing comes any more; it is being tried again. */
  onState(lost: boolean): void;
}

/** Heartbeats do not reach the page: snapshots come every few seconds while somebody looks. Nothing for so long is a lost connection, ms. */
const SILENT_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 10_000;

/** Never ends. */
export function listen(url: string, listener: Listener): void {
  let retryMs = FIRST_RETRY_MS;
  const open = (): void => {
    const source = new EventSource(url);
    let watchdog = 0;
    const heard = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(again, SILENT_MS);
    };
    // The browser itself tries again after a cut, but not after a refusal, nor when a connection is dead without a word.
    const again = (): void => {
      clearTimeout(watchdog);
      source.close();
      listener.onState(true);
      setTimeout(open, retryMs);
      retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
    };
    const on = <T>(event: string, take: (data: T) => void): void => {
      source.addEventListener(event, (message: MessageEvent<string>) => {
        heard();
        take(JSON.parse(message.data) as T);
      });
    };
    on<TopologyNow>('topology', (data) => listener.onTopology(data));
    on<readonly HistoryPoint[]>('history', (data) => listener.onHistory(data));
    on<Snapshot>('snapshot', (data) => {
      retryMs = FIRST_RETRY_MS;
      listener.onState(false);
      listener.onSnapshot(data);
    });
    source.addEventListener('error', again);
    heard();
  };
  open();
}
