/** A collector that fails on demand and remembers what it was sent. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Arrived {
  readonly id: string;
  readonly at: number;
}

/** What becomes of a request: taken; refused by a status; taken, but the answer is lost. */
export type Fate = 'taken' | number | 'answer-lost';

export interface StubCollector {
  url: string;
  /** Events taken, in their order; those of a batch that came twice are there twice. */
  readonly arrived: Arrived[];
  /** Breaches of the promise of `x-sluice-clock`. */
  readonly breaches: string[];
  readonly clocks: (number | undefined)[];
  readonly headers: IncomingMessage['headers'][];
  /** Bodies that were refused or whose answer was lost, and have not come again. */
  readonly owed: Set<string>;
  /** Requests at the same time, at most. */
  maxInFlight: number;
  /** Nobody listens until `listen`. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
}

const OUT_OF_ORDERNESS = 60_000;

export async function startStubCollector(fate: (request: number) => Fate): Promise<StubCollector> {
  const seen = new Set<string>();
  let [requests, inFlight, port, clock] = [0, 0, 0, Number.NEGATIVE_INFINITY];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    stub.maxInFlight = Math.max(stub.maxInFlight, ++inFlight);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const what = fate(requests++);
    await new Promise((resolve) => setTimeout(resolve, (requests * 7) % 23)); // answers overtake each other
    inFlight--;
    stub.owed[what === 'taken' ? 'delete' : 'add'](body);
    if (typeof what === 'number') {
      response.writeHead(what, { 'retry-after': '0' }).end();
      return;
    }
    const header = request.headers['x-sluice-clock'];
    stub.headers.push(request.headers);
    stub.clocks.push(header === undefined ? undefined : Number(header));
    take(JSON.parse(body) as { properties: Record<string, unknown> }[]);
    if (header !== undefined) clock = Math.max(clock, Number(header));
    if (what === 'answer-lost') request.socket.destroy();
    else response.end('{}');
  };

  const take = (events: { properties: Record<string, unknown> }[]): void => {
    for (const { properties } of events) {
      const id = String(properties['eventId']);
      const at = typeof properties['occurredAt'] === 'number' ? properties['occurredAt'] : Number.NaN;
      // Sent again: it was there before the clock.
      if (!seen.has(id) && at < clock - OUT_OF_ORDERNESS) stub.breaches.push(id);
      seen.add(id);
      stub.arrived.push({ id, at });
    }
  };

  let server: Server | undefined;
  const stub: StubCollector = {
    url: '',
    arrived: [],
    breaches: [],
    clocks: [],
    headers: [],
    owed: new Set(),
    maxInFlight: 0,
    async refuse() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
      inFlight = 0;
    },
    async listen() {
      server = createServer((request, response) => void handle(request, response).catch(() => undefined));
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
    },
    close: () => stub.refuse(),
  };
  await stub.listen();
  stub.url = `http://127.0.0.1:${port}`;
  return stub;
}
