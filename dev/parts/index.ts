export { endProcess, ended, identityOf, isAlive, signalGroup, startTimeOf } from './identity.ts';
export { kafkaPart, type KafkaPartOptions } from './kafka.ts';
export { mariadbPart } from './mariadb.ts';
export { type Part, PART_ENV, type PartContext, type PartName, type ProcessId, type RunningPart } from './part.ts';
export { accepts, freePort, takePorts } from './ports.ts';
export { postgresPart } from './postgres.ts';
export { lastLines, rotateLog, type ServerCommand, type ServerProcess, spawnServer, stopGroup } from './process.ts';
