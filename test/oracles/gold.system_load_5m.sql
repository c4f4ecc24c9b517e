-- gold.system_load_5m: samples of five minutes per host, each once. Updates, so open windows count too (grace 5 min). Values beyond 0 to 1000 are cut.
CREATE TABLE sample_in_window AS
SELECT partition, "offset", floor_to(ts, 5 * minute()) AS window_start, window_start + 5 * minute() AS window_end,
  ow >= window_end + 5 * minute() AS is_late,
  lower(trimmed(json_extract_string(value, '$.host'))) AS host,
  least(1000, greatest(0, CAST(json_extract_string(value, '$.cpuPermille') AS INTEGER))) AS cpu,
  least(1000, greatest(0, CAST(json_extract_string(value, '$.memoryPermille') AS INTEGER))) AS memory
FROM first_event
WHERE topic = 'bronze.ops.system_load';

CREATE TABLE late."gold.system_load_5m" AS
SELECT partition, "offset" FROM sample_in_window WHERE is_late
UNION ALL SELECT partition, "offset" FROM app_event WHERE topic = 'bronze.ops.system_load' AND beyond_horizon;

CREATE TABLE oracle."gold.system_load_5m" AS
SELECT
  iso(window_start) || '|' || host AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  host AS "host",
  count(*) AS "samples",
  (2 * sum(cpu) + count(*)) // (2 * count(*)) AS "cpuAverage",
  quantile_disc(cpu, 0.95) AS "cpuP95",
  max(cpu) AS "cpuMax",
  (2 * sum(memory) + count(*)) // (2 * count(*)) AS "memoryAverage",
  quantile_disc(memory, 0.95) AS "memoryP95",
  max(memory) AS "memoryMax"
FROM sample_in_window
WHERE NOT is_late
GROUP BY window_start, window_end, host;
