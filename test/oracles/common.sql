-- Event time by the rules of the design, from the records and the pins alone. ow = the watermark of a record's own partition at its own offset
-- (decides whether it is late); M = how far event time is complete at the frozen ends (decides what is released).

CREATE MACRO never() AS -9000000000000000;                          -- -infinity: before every time, a multiple of every tick
CREATE MACRO second() AS 1000;
CREATE MACRO minute() AS 60000;
CREATE MACRO hour() AS 3600000;
CREATE MACRO floor_to(ms, unit) AS ms - ((ms % unit) + unit) % unit;  -- rounds down, below zero too (% keeps the sign)
CREATE MACRO promised(m) AS floor_to(m, second());                  -- a ledger watermark is rounded down to the tick
CREATE MACRO iso(ms) AS strftime(epoch_ms(ms), '%Y-%m-%dT%H:%M:%S.%gZ');

-- White space as ECMAScript's trim() has it; SQL's trim takes blanks only.
CREATE MACRO trimmed(text) AS trim(text, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(160) || chr(5760) || chr(8192) || chr(8193)
  || chr(8194) || chr(8195) || chr(8196) || chr(8197) || chr(8198) || chr(8199) || chr(8200) || chr(8201) || chr(8202) || chr(8232) || chr(8233)
  || chr(8239) || chr(8287) || chr(12288) || chr(65279));
-- ISO 3166 alpha-2 in upper case, NULL for everything else.
CREATE MACRO country_code(text) AS CASE WHEN regexp_full_match(upper(trimmed(text)), '[A-Z]{2}') THEN upper(trimmed(text)) END;

CREATE TABLE origin_topic AS
FROM (VALUES
  ('bronze.shop.users', 10 * second()),
  ('bronze.shop.items', 10 * second()),
  ('bronze.shop.purchases', 10 * second()),
  ('bronze.shop.customer_profiles', 10 * second()),
  ('bronze.app.pageviews', minute()),
  ('bronze.app.cart_events', minute()),
  ('bronze.app.registrations', minute()),
  ('bronze.app.logins', minute()),
  ('bronze.app.purchase_events', minute()),
  ('bronze.ops.system_load', minute())
) AS t(topic, out_of_orderness);

-- A record more than an hour ahead of the time it was received is a dead letter and moves no clock.
CREATE TABLE arrival AS
SELECT r.*, json_extract_string(r.value, '$.op') AS op
FROM record r
WHERE NOT coalesce(r.ts - CAST(coalesce(json_extract_string(r.value, '$.receivedAt'), json_extract_string(r.value, '$.ts_ms')) AS BIGINT) > hour(), false);

-- W(o) = max( max event time at offsets <= o minus outOfOrderness, the largest pin at or before o ); rows of a snapshot move no clock.
CREATE TABLE clocked AS
WITH step AS (
  SELECT topic, partition, "offset" AS "at", 1 AS turn, CASE WHEN op = 'r' THEN NULL ELSE ts - out_of_orderness END AS m, ts, value, op
  FROM arrival JOIN origin_topic USING (topic)
  UNION ALL
  SELECT topic, partition, "at", 0, m, NULL, NULL, NULL FROM pin
)
SELECT topic, partition, "at" AS "offset", ts, op, value, turn,
  coalesce(max(m) OVER (PARTITION BY topic, partition ORDER BY "at", turn ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), never()) AS ow
FROM step
QUALIFY turn = 1;

-- The clock of every partition when its log has been read to the end: pins at the end count.
CREATE TABLE final_clock AS
SELECT e.topic, e.partition, greatest(
  coalesce((SELECT max(ts - out_of_orderness) FROM arrival a JOIN origin_topic o USING (topic)
            WHERE a.topic = e.topic AND a.partition = e.partition AND a.op IS DISTINCT FROM 'r'), never()),
  coalesce((SELECT max(m) FROM pin p WHERE p.topic = e.topic AND p.partition = e.partition AND p."at" <= e."end"), never())) AS w
FROM log_end e;

-- What a reader of a topic derived from it, written by one stateless task per partition, can rely on: the least promise of all writers.
-- The files of the stages add the topics behind them.
CREATE TABLE watermark AS
SELECT topic, min(promised(w)) AS m FROM final_clock GROUP BY topic;
CREATE MACRO watermark_of(name) AS (SELECT m FROM watermark WHERE topic = name);

-- First instant of the day or month in Berlin that holds an instant, and of the one after it.
CREATE MACRO berlin(ms) AS epoch_ms(ms) AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin';
CREATE MACRO berlin_instant(local) AS epoch_ms(local AT TIME ZONE 'Europe/Berlin');
CREATE MACRO berlin_start(unit, ms) AS berlin_instant(date_trunc(unit, berlin(ms)));
CREATE MACRO berlin_next(unit, ms) AS berlin_instant(date_trunc(unit, berlin(ms)) + CASE unit WHEN 'day' THEN INTERVAL 1 DAY ELSE INTERVAL 1 MONTH END);

-- Deduplication within an hour, of registrations and logins within seven days: of the events of one id in one partition, in the order of the log, one stays
-- when none that stayed lies at most so far from it. An event more than an hour behind its clock is late, and counts for nothing.
CREATE MACRO seen_within(topic) AS CASE WHEN topic IN ('bronze.app.registrations', 'bronze.app.logins') THEN 7 * 24 * hour() ELSE hour() END;

CREATE TABLE app_event AS
SELECT *, json_extract_string(value, '$.eventId') AS event_id, ow > ts + hour() AS beyond_horizon
FROM clocked
WHERE (topic LIKE 'bronze.app.%' OR topic LIKE 'bronze.ops.%') AND value IS NOT NULL;

CREATE TABLE first_event AS
WITH log AS (
  SELECT topic, partition, event_id, list({'at': "offset", 'ts': ts} ORDER BY "offset") AS events
  FROM app_event
  WHERE NOT beyond_horizon
  GROUP BY topic, partition, event_id
),
first AS (
  SELECT topic, partition, unnest(list_reduce(list_transform(events, lambda each: [each]), lambda stayed, next:
    CASE WHEN len(list_filter(stayed, lambda one: abs(one.ts - next[1].ts) <= seen_within(topic))) > 0 THEN stayed ELSE list_concat(stayed, next) END)) AS one
  FROM log
)
SELECT e.* FROM app_event e JOIN first f ON e.topic = f.topic AND e.partition = f.partition AND e."offset" = f.one.at;
