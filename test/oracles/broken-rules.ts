/** Rules of hosts, logins and purchases, each broken alone in the SQL. */

/** In the SQL of a file, `from` becomes `to`. */
export interface BrokenRule {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const BROKEN_RULES_OF_HOSTS_AND_LOGINS: Readonly<Record<string, BrokenRule>> = {
  'purchases of both ways in count twice': {
    file: 'silver.purchases_enriched',
    from: '<= 7 * 24 * hour() THEN',
    to: '< 0 THEN',
  },
  'purchases seven days apart are two': {
    file: 'silver.purchases_enriched',
    from: '<= 7 * 24 * hour() THEN',
    to: '< 7 * 24 * hour() THEN',
  },
  'purchases of one id are one, whenever they are': {
    file: 'silver.purchases_enriched',
    from: '<= 7 * 24 * hour() THEN',
    to: '<= -never() THEN',
  },
  'registrations count once within an hour only': {
    file: 'common',
    from: "'bronze.app.registrations', 'bronze.app.logins')",
    to: "'bronze.app.logins')",
  },
  'logins count once within an hour only': {
    file: 'common',
    from: "'bronze.app.registrations', 'bronze.app.logins')",
    to: "'bronze.app.registrations')",
  },
  'nonsense is bought too': { file: 'silver.purchases_enriched', from: ' AND count >= 1 AND cents >= 0', to: '' },
  'purchases do not wait for the app': {
    file: 'silver.purchases_enriched',
    from: "least(watermark_of('bronze.shop.purchases'), watermark_of('bronze.app.purchase_events'))",
    to: "watermark_of('bronze.shop.purchases')",
  },
  'averages are cut off': {
    file: 'gold.sales_perf_24h',
    from: '(2 * sum("revenue") + count(*)) // (2 * count(*))',
    to: 'sum("revenue") // count(*)',
  },
  'the percentile lies between two samples': {
    file: 'gold.system_load_5m',
    from: 'quantile_disc(cpu, 0.95)',
    to: 'CAST(quantile_cont(cpu, 0.95) AS INTEGER)',
  },
  'a host can be busier than full': {
    file: 'gold.system_load_5m',
    from: 'least(1000, greatest(0, CAST(',
    to: 'abs(abs(CAST(',
  },
  'a login knows itself': { file: 'gold.login_anomalies', from: 'nth BETWEEN 1 AND 20', to: 'nth BETWEEN 0 AND 20' },
  'five logins are known': { file: 'gold.login_anomalies', from: 'BETWEEN 1 AND 20', to: 'BETWEEN 1 AND 5' },
  'failures before the last login count too': {
    file: 'gold.login_anomalies',
    from: 'a.logins_before = f.logins_before AND a."succeeded"',
    to: 'a.logins_before >= f.logins_before AND a."succeeded"',
  },
  'failures at the edge of ten minutes do not count': {
    file: 'gold.login_anomalies',
    from: 'f._ts >= a._ts',
    to: 'f._ts > a._ts',
  },
  'a journey back is strange': { file: 'gold.login_anomalies', from: 'nearest >= 500 AND', to: '' },
  'a home abroad is strange': {
    file: 'gold.login_anomalies',
    from: ' AND "country" IS DISTINCT FROM "homeCountry"',
    to: '',
  },
  'attempts are judged as they come': {
    file: 'gold.login_anomalies',
    from: 'ORDER BY _ts, co_partition, co_offset',
    to: 'ORDER BY co_partition, co_offset',
  },
};
