/** Metrics and health over HTTP, for Prometheus and for orchestrators. */
export { expositionText, type HistogramSample, type Labels, type Metric, type Sample } from './exposition.ts';
export { type Health, type MetricsServer, serveMetrics, type Told } from './server.ts';
