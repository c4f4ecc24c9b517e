/** For tests of topologies: `#topology/testing`. */
export { ChaosClient, type ChaosOptions } from './chaos-client.ts';
export { MemoryLog } from './memory-log.ts';
export { random, type Random } from './random.ts';
export {
  type TestDriverOptions,
  type TestInput,
  type TestLate,
  type TestOutput,
  TopologyTestDriver,
} from './topology-test-driver.ts';
export { FakeKafka } from './fake-kafka.ts';
export { VirtualClock } from './virtual-clock.ts';
