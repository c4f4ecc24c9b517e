-- silver.purchases_enriched: purchases joined as of their event time with the item, then, repartitioned, with the user. Grace 60 s everywhere.
-- A purchase is late by its own ow; it is released once the table is complete beyond its time and the grace of the table.
CREATE TABLE purchase AS
SELECT
  partition, "offset", ts, ow,
  ow > ts + minute() AS is_late,
  json_extract_string(value, '$.after.id') AS id,
  json_extract_string(value, '$.after.user_id') AS user_id,
  json_extract_string(value, '$.after.item_id') AS item_id,
  CAST(json_extract_string(value, '$.after.quantity') AS BIGINT) AS quantity,
  CAST(json_extract_string(value, '$.after.unit_price') AS BIGINT) AS unit_price
FROM clocked
WHERE topic = 'bronze.shop.purchases' AND op IN ('c', 'r') AND id IS NOT NULL;

CREATE TABLE late."silver.purchases_enriched" AS
SELECT 'purchase' AS what, partition, "offset" FROM purchase WHERE is_late
UNION ALL SELECT 'item', co_partition, co_offset FROM oracle."silver.items" WHERE _ow > _ts + minute()
UNION ALL SELECT 'user', co_partition, co_offset FROM oracle."silver.users" WHERE _ow > _ts + minute();

CREATE TABLE purchase_with_item AS
SELECT p.*, i."title" AS title, coalesce(i."category", 'unknown') AS category,
  watermark_of('bronze.shop.items') > p.ts + minute() AS released
FROM purchase p
ASOF LEFT JOIN item_version i ON p.item_id = i._key AND p.ts >= i._ts
WHERE NOT p.is_late;

-- Towards the second join the first promises no more than the least ow that it still holds.
INSERT INTO watermark
SELECT 'purchases by user', promised(least(watermark_of('bronze.shop.purchases'), coalesce(min(ow), watermark_of('bronze.shop.purchases'))))
FROM purchase_with_item WHERE NOT released;

CREATE TABLE purchase_with_user AS
SELECT p.* EXCLUDE (released), u."country" AS country, u."birthDate" AS birth_date,
  watermark_of('bronze.shop.users') > p.ts + minute() AS released
FROM purchase_with_item p
ASOF LEFT JOIN user_version u ON p.user_id = u._key AND p.ts >= u._ts
WHERE p.released;

INSERT INTO watermark
SELECT 'silver.purchases_enriched', promised(least(watermark_of('purchases by user'), coalesce(min(ow), watermark_of('purchases by user'))))
FROM purchase_with_user WHERE NOT released;

-- Full years between two days: one less when the birthday has not come yet in the later year.
CREATE MACRO years_between(birth, day) AS
  year(day) - year(birth) - CASE WHEN month(day) * 100 + day(day) < month(birth) * 100 + day(birth) THEN 1 ELSE 0 END;

CREATE TABLE oracle."silver.purchases_enriched" AS
WITH aged AS (
  SELECT *, years_between(DATE '1970-01-01' + birth_date, CAST(epoch_ms(ts) AS DATE)) AS age FROM purchase_with_user WHERE released
)
SELECT
  id AS _key,
  ts AS _ts,
  ow AS _ow,
  CAST(id AS BIGINT) AS "purchaseId",
  CAST(user_id AS BIGINT) AS "userId",
  CAST(item_id AS BIGINT) AS "itemId",
  quantity AS "quantity",
  unit_price AS "unitPrice",
  quantity * unit_price AS "revenue",
  title AS "title",
  category AS "category",
  coalesce(country, 'unknown') AS "country",
  CASE
    WHEN age IS NULL THEN 'unknown'
    WHEN age < 18 THEN 'under-18'
    WHEN age <= 24 THEN '18-24'
    WHEN age <= 34 THEN '25-34'
    WHEN age <= 44 THEN '35-44'
    WHEN age <= 54 THEN '45-54'
    WHEN age <= 64 THEN '55-64'
    ELSE '65+'
  END AS "ageBand",
  ts AS "purchasedAt"
FROM aged;
