import { createServer, connect, type Server } from 'node:net';

const HOST = '127.0.0.1';

/**
 * One free port of 127.0.0.1 per name: the wished one if it is free, else any. They differ from each other. Nothing keeps them: another process
 * can take one before the server does, which then fails to start.
 */
export async function takePorts<Name extends string>(
  names: readonly Name[],
  wished: Readonly<Record<string, number>> = {},
): Promise<Record<Name, number>> {
  const held: Server[] = [];
  const ports: Partial<Record<Name, number>> = {};
  try {
    for (const name of names) {
      const server = (await listen(wished[name] ?? 0)) ?? (await listen(0));
      const address = server?.address();
      if (server === undefined || address === null || typeof address !== 'object') throw new Error('no free port');
      // Held until all are found, so that none comes twice.
      held.push(server);
      ports[name] = address.port;
    }
    return ports as Record<Name, number>;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** One free port: the wished one if it is free. */
export async function freePort(wished?: number): Promise<number> {
  const { port } = await takePorts(['port'], wished === undefined ? {} : { port: wished });
  return port;
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: HOST, exclusive: true }, () => resolve(server));
  });
}

/** True when something accepts connections on this port of 127.0.0.1, or of another host. */
export function accepts(port: number, timeoutMs = 1_000, host = HOST): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
