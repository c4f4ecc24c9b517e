import { sinkContract } from '../../connectors/sink.contract.ts';
import { MemoryTarget } from './memory-sink.ts';

sinkContract('the sink in memory', async () => {
  const target = new MemoryTarget();
  target.beforeCommit = () => new Promise((resolve) => setImmediate(resolve));
  return {
    topic: 't',
    makeSink: () => target.sink(),
    record: (offset, key, n) => ({ offset, timestamp: 0, key, value: n }),
    poison: (offset, key) => ({ offset, timestamp: 0, key, value: 'poison' }),
    rows: async () => new Map([...target.rows].map(([key, value]) => [key, Number(value)])),
    history: async () => target.history.map((each) => BigInt(each.split('@')[1] ?? '')),
    close: async () => undefined,
  };
});
