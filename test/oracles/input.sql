-- What the oracles may read, and nothing else: the decoded records of the bronze topics, the pins of the ledger, and where each log ended
-- when the dump was frozen. Values are JSON text; Avro decimals in them are their unscaled integer (all of scale 2, so: cents).
CREATE TABLE record (
  topic VARCHAR NOT NULL,
  partition INTEGER NOT NULL,
  "offset" BIGINT NOT NULL,
  ts BIGINT NOT NULL,        -- event time, ms
  key VARCHAR,               -- text, or the JSON of Debezium's key record
  value VARCHAR              -- JSON; NULL = tombstone
);
-- "from offset "at" on, the clock of this partition is at least m" (ms).
CREATE TABLE pin (topic VARCHAR NOT NULL, partition INTEGER NOT NULL, "at" BIGINT NOT NULL, m BIGINT NOT NULL);
-- Every partition of every bronze topic, empty ones too: the next offset after its last committed record.
CREATE TABLE log_end (topic VARCHAR NOT NULL, partition INTEGER NOT NULL, "end" BIGINT NOT NULL);

CREATE SCHEMA oracle;        -- one table per silver and gold table: the rows that must be there
CREATE SCHEMA late;          -- one table per stage: what must be in <stage>.late, rows of joined tables that came late included
