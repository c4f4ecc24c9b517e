-- Hopping windows of an hour, every 15 minutes, open ones too. What refuses a record is its late topic's word.
SELECT
  CONCAT(${iso:window_start}, '|', country) AS _key,
  window_start AS windowStart,
  window_end AS windowEnd,
  country,
  COUNT(*) AS registrations
FROM (
  SELECT window_start, window_end,
    CASE WHEN REGEXP(${trimmed:UPPER(country)}, '^[A-Z]{2}$') THEN ${trimmed:UPPER(country)} ELSE 'unknown' END AS country
  FROM HOP(TABLE registration, DESCRIPTOR(happened), INTERVAL '15' MINUTES, INTERVAL '1' HOURS)
  WHERE LOCATE(CONCAT('|', ${iso:window_start}, '|'), late) = 0
)
GROUP BY window_start, window_end, country
