/** Simulators of the shop: a sequence of app events and changes by seed, sent as a real app and a real shop would send them. */
export { SimulatorError } from './failure.ts';
export { BOUNDED_LOGINS, EVENTS_PER_SECOND, flashSaleEvents, MAX_LOGINS } from './plan.ts';
export { Simulation, type SimulationOptions, type SimulationResult, type SimulationStats } from './simulation.ts';
