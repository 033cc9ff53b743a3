//! The checks and their statements. What is asked of PostgreSQL is in its documentation, "Monitoring Database
//! Activity" and "System Catalogs"; names and limits are Heroku's where they are known.

/// Names and statements, in the order in which they are shown. `{connections}` stands for the plan's limit.
pub(super) const QUESTIONS: &[(&str, &str)] = &[
    ("Connection Count", CONNECTIONS),
    ("Long Queries", LONG_QUERIES),
    ("Long Transactions", LONG_TRANSACTIONS),
    ("Idle in Transaction", IDLE),
    ("Indexes", INDEXES),
    ("Bloat", BLOAT),
    ("Hit Rate", HIT_RATE),
    ("Blocking Queries", BLOCKING),
    ("Sequences", SEQUENCES),
    ("Unlogged Tables", UNLOGGED),
    ("Table Transaction ID Wraparound", TABLE_AGE),
    ("Database Transaction ID Wraparound", DATABASE_AGE),
    ("Schema Count", SCHEMAS),
];

const CONNECTIONS: &str = "
SELECT CASE WHEN open >= {connections} * 0.9 THEN 'red' WHEN open >= {connections} * 0.75 THEN 'yellow' ELSE 'green' END AS light,
       open AS count, {connections} AS most
  FROM (SELECT count(*) AS open FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> 'postgres') AS counted";

const LONG_QUERIES: &str = "
SELECT 'red' AS light, pid, date_trunc('second', now() - query_start) AS duration, left(query, 1000) AS query
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> 'postgres'
   AND state = 'active' AND now() - query_start > interval '1 minute'
 ORDER BY query_start LIMIT 50";

const LONG_TRANSACTIONS: &str = "
SELECT CASE WHEN now() - xact_start > interval '1 hour' THEN 'red' ELSE 'yellow' END AS light,
       pid, date_trunc('second', now() - xact_start) AS duration, left(query, 1000) AS query
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> 'postgres'
   AND now() - xact_start > interval '10 minutes'
 ORDER BY xact_start LIMIT 50";

const IDLE: &str = "
SELECT 'red' AS light, pid, date_trunc('second', now() - state_change) AS duration, left(query, 1000) AS query
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> 'postgres'
   AND state LIKE 'idle in transaction%' AND now() - state_change > interval '1 minute'
 ORDER BY state_change LIMIT 50";

/// An index that is broken, and those that cost more than they give. Unique ones are there for another reason
/// than speed.
const INDEXES: &str = "
WITH known AS (
    SELECT index.schemaname, index.relname, index.indexrelname, index.idx_scan AS scans, is_unique.indisunique, is_unique.indisvalid,
           pg_relation_size(index.indexrelid) AS bytes, pg_relation_size(index.relid) AS table_bytes,
           coalesce(of_table.seq_scan, 0) + coalesce(of_table.idx_scan, 0) AS table_scans,
           of_table.n_tup_ins + of_table.n_tup_upd + of_table.n_tup_del AS writes
      FROM pg_stat_user_indexes AS index
      JOIN pg_stat_user_tables AS of_table ON of_table.relid = index.relid
      JOIN pg_index AS is_unique ON is_unique.indexrelid = index.indexrelid
), judged AS (
    SELECT known.*,
           CASE WHEN NOT indisvalid THEN 'Invalid'
                WHEN indisunique THEN NULL
                WHEN scans = 0 AND bytes > 1048576 THEN 'Never Used Indexes'
                WHEN scans > 0 AND writes > 100 AND scans <= writes AND scans * 10 < table_scans THEN 'Low Scans, High Writes'
                WHEN scans > 0 AND bytes > 100000000 AND scans * 20 < table_scans THEN 'Seldom Used Large Indexes'
           END AS reason
      FROM known
)
SELECT CASE reason WHEN 'Invalid' THEN 'red' ELSE 'yellow' END AS light,
       reason, schemaname || '.' || indexrelname AS \"index\", relname AS \"table\", scans, writes,
       pg_size_pretty(bytes) AS index_size, pg_size_pretty(table_bytes) AS table_size
  FROM judged WHERE reason IS NOT NULL ORDER BY bytes DESC LIMIT 50";

/// Pages that rows of the widths that ANALYZE has seen would fill, against those that there are.
const BLOAT: &str = "
WITH block AS (
    SELECT current_setting('block_size')::numeric AS bytes
), estimated AS (
    SELECT 'table' AS type, nspname || '.' || relname AS object, relpages::numeric AS pages,
           ceil(reltuples::numeric * (28 + ceil(width / 8) * 8) / (block.bytes - 24)) AS needed
      FROM block, pg_class
      JOIN pg_namespace ON pg_namespace.oid = relnamespace
      JOIN (SELECT starelid, sum((1 - stanullfrac) * stawidth)::numeric AS width
              FROM pg_statistic WHERE NOT stainherit GROUP BY starelid) AS widths ON starelid = pg_class.oid
     WHERE relkind IN ('r', 'm') AND reltuples > 0 AND nspname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'index', nspname || '.' || of_table.relname || '::' || index.relname, index.relpages::numeric,
           ceil(index.reltuples::numeric * (12 + ceil(width / 8) * 8) / ((block.bytes - 40) * 0.9))
      FROM block, pg_index
      JOIN pg_class AS index ON index.oid = indexrelid
      JOIN pg_class AS of_table ON of_table.oid = indrelid
      JOIN pg_namespace ON pg_namespace.oid = index.relnamespace
      JOIN pg_am ON pg_am.oid = index.relam AND amname = 'btree'
      JOIN LATERAL (SELECT sum((1 - stanullfrac) * stawidth)::numeric AS width
                      FROM pg_statistic WHERE starelid = indrelid AND NOT stainherit AND staattnum = ANY (indkey)) AS widths ON width IS NOT NULL
     WHERE indexprs IS NULL AND index.reltuples > 0 AND nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT 'red' AS light, type, object, round(pages / needed, 1) AS bloat,
       pg_size_pretty(((pages - needed) * bytes)::bigint) AS waste
  FROM estimated, block
 WHERE needed > 0 AND pages > needed * 10 AND (pages - needed) * bytes > 50 * 1048576
 ORDER BY pages - needed DESC LIMIT 50";

/// Of a database that was hardly read, nothing can be said.
const HIT_RATE: &str = "
SELECT CASE WHEN ratio < 0.95 THEN 'red' ELSE 'yellow' END AS light, name, round(ratio, 4) AS ratio
  FROM (SELECT 'index hit rate' AS name, sum(idx_blks_hit) / nullif(sum(idx_blks_hit + idx_blks_read), 0) AS ratio,
               sum(idx_blks_hit + idx_blks_read) AS asked FROM pg_statio_user_indexes
        UNION ALL
        SELECT 'table hit rate', sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0),
               sum(heap_blks_hit + heap_blks_read) FROM pg_statio_user_tables) AS rates
 WHERE asked > 10000 AND ratio < 0.99";

const BLOCKING: &str = "
SELECT 'red' AS light, waiting.pid AS blocked_pid, left(holding.query, 1000) AS blocking_statement,
       coalesce(date_trunc('second', now() - holding.xact_start)::text, '') AS blocking_duration,
       holding.pid AS blocking_pid, left(waiting.query, 1000) AS blocked_statement,
       date_trunc('second', now() - waiting.query_start) AS blocked_duration
  FROM pg_stat_activity AS waiting
 CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocker (pid)
  JOIN pg_stat_activity AS holding ON holding.pid = blocker.pid
 WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'
 ORDER BY waiting.query_start LIMIT 50";

/// A sequence ends where its column does.
const SEQUENCES: &str = "
WITH ends AS (
    SELECT schemaname || '.' || sequencename AS sequence, last_value AS last,
           least(max_value, CASE atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE max_value END) AS largest
      FROM pg_sequences
      JOIN pg_namespace ON nspname = schemaname
      JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = sequencename AND relkind = 'S'
      LEFT JOIN pg_depend ON pg_depend.objid = pg_class.oid AND pg_depend.classid = 'pg_class'::regclass
            AND refclassid = 'pg_class'::regclass AND refobjsubid > 0 AND deptype IN ('a', 'i')
      LEFT JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
     WHERE last_value IS NOT NULL AND increment_by > 0 AND NOT cycle
)
SELECT CASE WHEN last >= largest * 0.9 THEN 'red' ELSE 'yellow' END AS light,
       sequence, last, largest, round(100.0 * last / largest, 1) || '%' AS used
  FROM ends WHERE largest > 0 AND last >= largest * 0.75 ORDER BY last::numeric / largest DESC LIMIT 50";

/// They are empty after a crash, and in no follower.
const UNLOGGED: &str = "
SELECT 'yellow' AS light, nspname || '.' || relname AS \"table\", pg_size_pretty(pg_total_relation_size(pg_class.oid)) AS size
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relpersistence = 'u' AND relkind = 'r' ORDER BY pg_total_relation_size(pg_class.oid) DESC LIMIT 50";

/// Far beyond where autovacuum should have seen to it.
const TABLE_AGE: &str = "
SELECT CASE WHEN age(relfrozenxid) > 1000000000 THEN 'red' ELSE 'yellow' END AS light,
       nspname || '.' || relname AS \"table\", age(relfrozenxid) AS age
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relkind IN ('r', 'm', 't') AND relfrozenxid <> '0'::xid AND age(relfrozenxid) > 500000000
 ORDER BY age(relfrozenxid) DESC LIMIT 50";

const DATABASE_AGE: &str = "
SELECT CASE WHEN age(datfrozenxid) > 1000000000 THEN 'red' ELSE 'yellow' END AS light, datname AS database, age(datfrozenxid) AS age
  FROM pg_database WHERE datname = current_database() AND age(datfrozenxid) > 500000000";

/// Backups read every table of every schema, one after the other.
const SCHEMAS: &str = "
SELECT CASE WHEN count > 100 THEN 'red' ELSE 'yellow' END AS light, count
  FROM (SELECT count(*) FROM pg_namespace
         WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '_heroku')) AS schemas
 WHERE count > 50";
