-- gold.registrations_hourly: registrations of one hour, every 15 minutes, per country, each event once. Updates, so open windows count too (grace 5 min).
CREATE TABLE registration_in_window AS
WITH hopped AS (
  SELECT partition, "offset", ow, coalesce(country_code(json_extract_string(value, '$.country')), 'unknown') AS country,
    floor_to(ts, 15 * minute()) - 15 * minute() * unnest(range(4)) AS window_start
  FROM first_event
  WHERE topic = 'bronze.app.registrations'
)
SELECT *, window_start + hour() AS window_end, ow >= window_end + 5 * minute() AS is_late FROM hopped;

CREATE TABLE late."gold.registrations_hourly" AS
SELECT partition, "offset", window_start FROM registration_in_window WHERE is_late
UNION ALL SELECT partition, "offset", NULL FROM app_event WHERE topic = 'bronze.app.registrations' AND beyond_horizon;

CREATE TABLE oracle."gold.registrations_hourly" AS
SELECT
  iso(window_start) || '|' || country AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  country AS "country",
  count(*) AS "registrations"
FROM registration_in_window
WHERE NOT is_late
GROUP BY window_start, window_end, country;
