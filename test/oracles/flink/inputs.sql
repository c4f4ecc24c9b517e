-- What Flink reads: records of bronze and silver of one run, in the order of their offsets. Its watermark is its own: as far behind the newest record as
-- the furthest one of the file is, so that it drops nothing, and windows close while it reads. "late" is what the engine's late topic says of a record: 'all' (it
-- counts nowhere), or the beginnings of the windows that refused it. A record more than an hour ahead of the time it was received is a dead letter.
CREATE TEMPORARY TABLE registration_file (
  id STRING, ts BIGINT, receivedAt BIGINT, country STRING, late STRING,
  happened AS TO_TIMESTAMP_LTZ(ts, 3), arrived AS PROCTIME(),
  WATERMARK FOR happened AS TO_TIMESTAMP_LTZ(ts - ${registrations_behind}, 3)
) WITH ('connector' = 'filesystem', 'path' = '${folder}/registrations.json', 'format' = 'json');

CREATE TEMPORARY TABLE pageview_file (
  id STRING, ts BIGINT, receivedAt BIGINT, userId BIGINT, anonymousId STRING, channel STRING, late STRING,
  happened AS TO_TIMESTAMP_LTZ(ts, 3), arrived AS PROCTIME(),
  WATERMARK FOR happened AS TO_TIMESTAMP_LTZ(ts - ${pageviews_behind}, 3)
) WITH ('connector' = 'filesystem', 'path' = '${folder}/pageviews.json', 'format' = 'json');

CREATE TEMPORARY TABLE cart_event_file (
  id STRING, ts BIGINT, receivedAt BIGINT, userId BIGINT, anonymousId STRING, channel STRING, action STRING, late STRING,
  happened AS TO_TIMESTAMP_LTZ(ts, 3), arrived AS PROCTIME(),
  WATERMARK FOR happened AS TO_TIMESTAMP_LTZ(ts - ${cart_events_behind}, 3)
) WITH ('connector' = 'filesystem', 'path' = '${folder}/cart_events.json', 'format' = 'json');

CREATE TEMPORARY TABLE purchase (
  id STRING, ts BIGINT, userId BIGINT, category STRING, country STRING, quantity BIGINT, revenue BIGINT, late STRING,
  happened AS TO_TIMESTAMP_LTZ(ts, 3),
  WATERMARK FOR happened AS TO_TIMESTAMP_LTZ(ts - ${purchases_behind}, 3)
) WITH ('connector' = 'filesystem', 'path' = '${folder}/purchases.json', 'format' = 'json');

-- Of the events of one id the first that arrived.
CREATE TEMPORARY VIEW registration AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY arrived) AS n FROM registration_file
  WHERE late <> 'all' AND ts - receivedAt <= 3600000
) WHERE n = 1;

CREATE TEMPORARY VIEW pageview AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY arrived) AS n FROM pageview_file
  WHERE late <> 'all' AND ts - receivedAt <= 3600000
) WHERE n = 1;

CREATE TEMPORARY VIEW cart_event AS
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY arrived) AS n FROM cart_event_file
  WHERE late <> 'all' AND ts - receivedAt <= 3600000
) WHERE n = 1;
