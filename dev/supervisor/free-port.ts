import { createServer } from 'node:net';

/** A port of 127.0.0.1 that nobody listens on: the wished one if it is free. */
export async function freePort(wished?: number): Promise<number> {
  const port = (wished === undefined ? undefined : await probe(wished)) ?? (await probe(0));
  if (port === undefined) throw new Error('no free port on 127.0.0.1');
  return port;
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
