-- gold.segment_changes: the days at whose end a user is in another segment than the day before, or in one for the first time.
CREATE TABLE oracle."gold.segment_changes" AS
SELECT
  CAST("userId" AS VARCHAR) AS _key,
  _ts,
  _ow,
  "windowStart",
  "windowEnd",
  "userId",
  "previousSegment" AS "fromSegment",
  "segment" AS "toSegment",
  "reason"
FROM oracle."gold.user_engagement_segments"
WHERE "segment" IS DISTINCT FROM "previousSegment";
