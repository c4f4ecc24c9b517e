-- The warehouse before its first row. The sink makes the tables of each schema; `sluice` has its positions.
CREATE SCHEMA IF NOT EXISTS silver;
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS sluice;

-- For people and tools that read: grant it to their users. It sees tables that come later, too, when the sink's user is the one that runs this file.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_reader') THEN
    CREATE ROLE sluice_reader NOLOGIN;
  END IF;
END
$$;
GRANT USAGE ON SCHEMA silver, gold TO sluice_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA silver, gold TO sluice_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA silver, gold GRANT SELECT ON TABLES TO sluice_reader;
