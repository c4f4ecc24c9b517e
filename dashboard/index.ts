/** The live page: what runs, how fast, how far behind, and what came out of it. */
export type { Probe } from './probe.ts';
export { type Dashboard, type DashboardOptions, startDashboard } from './server.ts';
export { shopViews } from './shop-views.ts';
export type * from './snapshot.ts';
export { createWarehouseProbe, type GoldView } from './warehouse.ts';
