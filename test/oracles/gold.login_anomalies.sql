-- gold.login_anomalies: what each login that succeeds shows beside the 20 that succeeded before it, of the last 90 days, and the failures between.
-- Attempts of a user in the order of their event time, then of partition and offset; complete up to the watermark less 60 s.
CREATE TABLE attempt AS
SELECT *, count(*) FILTER (WHERE "succeeded") OVER (PARTITION BY "userId" ORDER BY _ts, co_partition, co_offset ROWS UNBOUNDED PRECEDING)
    - CAST("succeeded" AS INTEGER) AS logins_before
FROM oracle."silver.logins_enriched"
WHERE watermark_of('silver.logins_enriched') > _ts + minute();

-- No attempt that silver takes comes too late to be put in order here.
CREATE TABLE late."gold.login_anomalies" AS SELECT * FROM attempt WHERE _ow > _ts + minute();

-- NULL where one of the places is not known (least() would pass over it).
CREATE MACRO haversine(lat1, lon1, lat2, lon2) AS
  power(sin(radians(lat2 - lat1) / 2), 2) + cos(radians(lat1)) * cos(radians(lat2)) * power(sin(radians(lon2 - lon1) / 2), 2);
CREATE MACRO km_between(lat1, lon1, lat2, lon2) AS
  2 * 6371 * asin(sqrt(CASE WHEN haversine(lat1, lon1, lat2, lon2) > 1 THEN 1 ELSE haversine(lat1, lon1, lat2, lon2) END));

-- Each login, and each of those known then: nth = 1 is the last one.
CREATE TABLE known_login AS
SELECT a."eventId", a."userId", a.logins_before, a.logins_before - k.logins_before AS nth, k._ts AS known_at,
  k."device" = a."device" AS same_device, k."country" = a."country" AS same_country,
  km_between(CAST(k."latitude" AS DOUBLE), CAST(k."longitude" AS DOUBLE), CAST(a."latitude" AS DOUBLE), CAST(a."longitude" AS DOUBLE)) AS km,
  a._ts - k._ts AS passed
FROM attempt a JOIN attempt k ON a."userId" = k."userId" AND a."succeeded" AND k."succeeded"
WHERE nth BETWEEN 1 AND 20 AND passed <= CAST(90 AS BIGINT) * 24 * hour();

CREATE TABLE memory AS
SELECT "userId", logins_before, count(*) AS logins,
  count(*) FILTER (WHERE same_device OR same_country) AS same,
  min(km) AS nearest,
  arg_min(known_at, nth) FILTER (WHERE km IS NOT NULL) AS last_at,
  arg_min(km, nth) FILTER (WHERE km IS NOT NULL) AS last_km,
  arg_min(passed, nth) FILTER (WHERE km IS NOT NULL) AS last_passed
FROM known_login
GROUP BY "userId", logins_before;

CREATE TABLE failed AS
SELECT a."userId", a.logins_before, least(count(*), 20) AS failures
FROM attempt a JOIN attempt f ON a."userId" = f."userId" AND a.logins_before = f.logins_before AND a."succeeded" AND NOT f."succeeded"
WHERE f._ts >= a._ts - 10 * minute()
GROUP BY a."userId", a.logins_before;

CREATE TABLE oracle."gold.login_anomalies" AS
WITH found AS (
  SELECT a.*, 'brute_force' AS rule, failures, NULL AS previous_at, NULL AS km
  FROM attempt a JOIN failed f ON a."userId" = f."userId" AND a.logins_before = f.logins_before
  WHERE a."succeeded" AND failures >= 5
  UNION ALL
  SELECT a.*, 'impossible_travel', NULL, last_at, last_km
  FROM attempt a JOIN memory m ON a."userId" = m."userId" AND a.logins_before = m.logins_before
  WHERE a."succeeded" AND nearest >= 500 AND last_km * hour() > 900 * last_passed
  UNION ALL
  SELECT a.*, 'new_device_and_country', NULL, NULL, NULL
  FROM attempt a JOIN memory m ON a."userId" = m."userId" AND a.logins_before = m.logins_before
  WHERE a."succeeded" AND logins >= 3 AND same = 0 AND "device" IS NOT NULL AND "country" IS NOT NULL AND "country" IS DISTINCT FROM "homeCountry"
)
SELECT
  "eventId" || '|' || rule AS _key,
  _ts,
  _ts AS _ow,
  "eventId",
  rule AS "rule",
  "userId",
  _ts AS "occurredAt",
  "country",
  "device",
  "homeCountry",
  failures AS "failures",
  previous_at AS "previousAt",
  CAST(round(km) AS INTEGER) AS "distanceKm"
FROM found;
