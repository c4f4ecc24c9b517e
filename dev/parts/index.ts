export { kafkaPart, type KafkaPartOptions } from './kafka.ts';
export { mariadbPart } from './mariadb.ts';
export { type Part, PART_ENV, type PartContext, type PartName, type ProcessId, type RunningPart } from './part.ts';
export { accepts, takePorts } from './ports.ts';
export { postgresPart } from './postgres.ts';
export {
  isRunning,
  lastLines,
  rotateLog,
  type ServerCommand,
  type ServerProcess,
  signalGroup,
  spawnServer,
  startTimeOf,
  stopGroup,
  waitForEnd,
} from './process.ts';
