-- gold.pageviews_by_channel: views of items per hour and channel. Updates, so open windows count too (grace 5 min).
CREATE TABLE view_in_window AS
SELECT *, floor_to(_ts, hour()) AS window_start, window_start + hour() AS window_end, _ow >= window_end + 5 * minute() AS is_late
FROM oracle."silver.pageviews_by_items";

CREATE TABLE late."gold.pageviews_by_channel" AS
SELECT "eventId", window_start FROM view_in_window WHERE is_late;

CREATE TABLE oracle."gold.pageviews_by_channel" AS
SELECT
  iso(window_start) || '|' || "channel" AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  "channel",
  count(*) AS "views"
FROM view_in_window
WHERE NOT is_late
GROUP BY window_start, window_end, "channel";
