export { kafkaPart } from './kafka.ts';
export { mariadbPart } from './mariadb.ts';
export { type Part, PART_ENV, type PartContext, type PartName, type RunningPart } from './part.ts';
export { postgresPart } from './postgres.ts';
export {
  endProcess,
  freePort,
  hasEnded,
  isAlive,
  lastLines,
  type ProcessId,
  signalGroup,
  startServer,
  startTimeOf,
} from './process.ts';
