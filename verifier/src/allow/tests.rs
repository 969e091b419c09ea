use std::collections::BTreeMap;

use super::check;

/// Each of these must be refused.
const HOSTILE: &[&str] = &[
    "",
    "SELECT",
    "SELECT 1; SELECT 2",
    "DROP TABLE meter_readings",
    "CREATE TABLE t AS SELECT 1",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "COPY meter_readings TO 'out.csv'",
    "COPY (SELECT 1) TO '/tmp/x' STORED AS PARQUET",
    "INSERT INTO meter_readings SELECT * FROM meter_readings",
    "SET datafusion.execution.batch_size = 1",
    "EXPLAIN SELECT 1 AS a",
    "EXPLAIN ANALYZE SELECT 1 AS a",
    "SHOW TABLES",
    "PREPARE p AS SELECT 1",
    "DELETE FROM meter_readings",
    "UPDATE meter_readings SET amount = 0",
    "VALUES (1)",
    "TABLE meter_readings",
    "SELECT device INTO t FROM meter_readings",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM datafusion.public.meter_readings",
    "SELECT * FROM nothing_like_it",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT * FROM range(1, 1000000000)",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM TABLE(f(1))",
    "SELECT * FROM LATERAL (SELECT 1) AS t",
    "SELECT unnest(generate_series(1, 1000000000)) AS x",
    "SELECT repeat('x', 1000000000) AS x FROM meter_readings",
    "SELECT now() AS x FROM meter_readings",
    "SELECT current_timestamp AS x FROM meter_readings",
    "SELECT current_date AS x FROM meter_readings",
    "SELECT random() AS x FROM meter_readings",
    "SELECT uuid() AS x FROM meter_readings",
    "SELECT version() AS x FROM meter_readings",
    "SELECT avg(amount) AS x FROM meter_readings",
    "SELECT stddev(amount) AS x FROM meter_readings",
    "SELECT amount * 1.5 AS x FROM meter_readings",
    "SELECT amount * 1e9 AS x FROM meter_readings",
    "SELECT CAST(amount AS DOUBLE) AS x FROM meter_readings",
    "SELECT TRY_CAST(amount AS BIGINT) AS x FROM meter_readings",
    "SELECT amount::BIGINT AS x FROM meter_readings",
    "SELECT device FROM meter_readings WHERE device ~ '(a+)+$'",
    "SELECT device FROM meter_readings WHERE device SIMILAR TO '(a+)+'",
    "SELECT EXTRACT(YEAR FROM read_at) AS x FROM meter_readings",
    "SELECT read_at AT TIME ZONE 'Asia/Shanghai' AS x FROM meter_readings",
    "SELECT INTERVAL '1 day' AS x FROM meter_readings",
    "SELECT a.device FROM meter_readings AS a, meter_readings AS b",
    "SELECT a.device FROM meter_readings AS a CROSS JOIN meter_readings AS b",
    "SELECT a.device FROM meter_readings AS a JOIN meter_readings AS b ON true",
    "SELECT a.device FROM meter_readings AS a JOIN meter_readings AS b ON a.amount < b.amount",
    "SELECT a.device FROM meter_readings AS a JOIN meter_readings AS b ON a.device = a.device",
    "SELECT a.device FROM meter_readings AS a JOIN meter_readings AS b ON a.device = b.device OR true",
    "SELECT a.device FROM meter_readings AS a NATURAL JOIN devices AS b",
    "SELECT a.device FROM meter_readings AS a FULL JOIN devices AS b ON a.device = b.device",
    "SELECT a.device FROM devices AS a JOIN (devices AS b CROSS JOIN devices AS c) ON a.device = b.device",
    "SELECT device FROM devices AS a WHERE EXISTS (SELECT 1 FROM meter_readings AS b)",
    "SELECT device FROM devices AS a WHERE EXISTS (SELECT 1 FROM meter_readings AS b WHERE b.amount < 3)",
    "SELECT (SELECT max(amount) FROM meter_readings) AS x FROM devices",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
    "WITH meter_readings AS (SELECT 1 AS device) SELECT device FROM meter_readings",
    "SELECT device FROM devices LIMIT 1",
    "SELECT device FROM devices FETCH FIRST 1 ROW ONLY",
    "SELECT device FROM devices FOR UPDATE",
    "SELECT TOP 1 device FROM devices",
    "SELECT DISTINCT ON (device) device FROM devices",
    "SELECT device FROM devices QUALIFY row_number() OVER (ORDER BY device) = 1",
    "SELECT device FROM devices TABLESAMPLE (10 PERCENT)",
    "SELECT row_number() OVER () AS x FROM devices",
    "SELECT lag(device) OVER (PARTITION BY model) AS x FROM devices",
    "SELECT first_value(device) AS x FROM devices",
    "SELECT array_agg(device) AS x FROM devices",
    "SELECT device FROM devices WHERE accuracy_ppm < $nobody_set_this",
    "SELECT device FROM devices WHERE device = ?",
    "FROM devices SELECT device",
    "SELECT device FROM devices |> WHERE true",
    "SELECT x -> 'y' FROM devices",
    "SELECT arrow_cast(device, 'Float64') AS x FROM devices",
    "SELECT {fn abs(accuracy_ppm)} AS x FROM devices",
    // Ways to files, other systems and settings.
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM arrow_scan('/etc/passwd')",
    "SELECT * FROM 'http://127.0.0.1/x.csv'",
    "SELECT input_file_name() AS x FROM devices",
    "LOAD DATA INPATH '/etc/passwd' INTO TABLE devices",
    "CREATE FUNCTION f() RETURNS INT RETURN 1",
    "SELECT current_setting('x') AS x FROM devices",
    // A name of WITH that reaches beyond it, to a table that the rule does not say it reads.
    "SELECT a.x FROM (WITH \"datafusion.public.keys\" AS (SELECT device AS x FROM devices) SELECT device AS x FROM devices) AS a JOIN datafusion.public.keys AS b ON a.x = b.x",
    "WITH \"datafusion.public.keys\" AS (SELECT device FROM devices) SELECT device FROM datafusion.public.keys",
    "WITH \"information_schema.tables\" AS (SELECT device FROM devices) SELECT table_name FROM information_schema.tables",
    "SELECT device FROM (WITH t AS (SELECT device FROM devices) SELECT device FROM t) AS a",
    // Rows, texts and work without end.
    "SELECT unnest(range(0, 1000000000000)) AS x FROM devices",
    "SELECT unnest(array_repeat(1, 1000000000)) AS x FROM devices",
    "SELECT array_resize(cites, 1000000000) AS x FROM defects",
    "SELECT lpad(device, 1000000000) AS x FROM devices",
    "SELECT rpad(device, 1000000000) AS x FROM devices",
    "SELECT replace(device, 'a', 'aaaa') AS x FROM devices",
    "SELECT power(accuracy_ppm, 1000000) AS x FROM devices",
    "SELECT factorial(20) AS x FROM devices",
    "SELECT regexp_replace(device, '(a+)+$', 'b') AS x FROM devices",
    "SELECT regexp_like(device, '(a|a)*b') AS x FROM devices",
    "SELECT device FROM devices WHERE device ~* '(a|a)*b'",
    "SELECT device FROM devices WHERE device LIKE ANY ('a')",
    "SELECT device FROM devices GROUP BY CUBE (device, model)",
    "SELECT device FROM devices GROUP BY ROLLUP (device, model)",
    "SELECT device FROM devices GROUP BY GROUPING SETS ((device), (model))",
    "SELECT device FROM devices MATCH_RECOGNIZE (PATTERN (a))",
    "SELECT * FROM devices PIVOT (count(device) FOR model IN ('a'))",
];

/// Each of these may stay.
const HONEST: &[&str] = &[
    "SELECT device FROM devices WHERE accuracy_ppm > 5000 ORDER BY device",
    "SELECT d.device FROM devices AS d JOIN meter_readings AS r ON r.device = d.device AND r.amount < 3",
    "SELECT r.device FROM meter_readings AS r WHERE NOT EXISTS (SELECT 1 FROM devices AS d WHERE d.device = r.device)",
    "WITH t AS (SELECT device, count(*) AS n FROM meter_readings GROUP BY device) SELECT device FROM t WHERE 1 < n",
    "SELECT subject, unnest(cites) AS cite, cites[1] AS head FROM defects",
    "SELECT device FROM devices WHERE device IN (SELECT device FROM calibrations)",
    "SELECT lag(read_at) OVER (PARTITION BY device ORDER BY read_at, content_id) AS x FROM meter_readings",
    "SELECT substr(device, 1, 3) AS head, substring(device FROM 2 FOR 1) AS next FROM devices",
    "SELECT device FROM devices WHERE 0 < $as_of_ms UNION ALL SELECT device FROM calibrations",
];

#[test]
fn everything_that_no_rule_needs_is_refused() {
    for text in HOSTILE {
        assert!(check(text, &BTreeMap::new()).is_err(), "{text}");
    }
    let deep = format!("SELECT {}1{} AS x FROM devices", "(".repeat(5_000), ")".repeat(5_000));
    assert!(check(&deep, &BTreeMap::new()).is_err());
    let long = format!("SELECT device FROM devices -- {}", "x".repeat(super::RULE_BYTES_MAX));
    assert!(check(&long, &BTreeMap::new()).is_err());
}

/// `first`, then this line so often, each over the one before, then a query over the last.
fn chain(count: usize, line: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (1..=count).map(line).collect();
    let first = "WITH t0 AS (SELECT device AS x, 1 AS k FROM devices)";
    format!("{first}, {} SELECT x FROM t{count}", lines.join(", "))
}

#[test]
fn a_query_that_multiplies_what_it_reads_is_refused_before_it_is_planned() {
    let doubling: [fn(usize) -> String; 6] = [
        |n| format!("t{n} AS (SELECT concat(x, x) AS x, k FROM t{})", n - 1),
        |n| format!("t{n} AS (SELECT x || x AS x, k FROM t{})", n - 1),
        |n| {
            format!(
                "t{n} AS (SELECT array_concat(make_array(x), make_array(x)) AS x, k FROM t{})",
                n - 1
            )
        },
        |n| format!("t{n} AS (SELECT x, k FROM t{0} UNION ALL SELECT x, k FROM t{0})", n - 1),
        |n| format!("t{n} AS (SELECT a.x, a.k FROM t{0} AS a JOIN t{0} AS b ON a.k = b.k)", n - 1),
        |n| {
            let before = n - 1;
            format!("t{n} AS (SELECT x, k FROM t{before} WHERE x IN (SELECT x FROM t{before}))")
        },
    ];
    for line in doubling {
        let (few, many) = (chain(2, line), chain(30, line));
        assert!(check(&few, &BTreeMap::new()).is_ok(), "{:?}", check(&few, &BTreeMap::new()).err());
        assert!(check(&many, &BTreeMap::new()).is_err(), "{many}");
    }
    let mut nested = "devices".to_owned();
    for _ in 0..14 {
        nested = format!("(SELECT concat(device, device) AS device FROM {nested})");
    }
    let nested = format!("SELECT device FROM {nested} AS a");
    assert!(check(&nested, &BTreeMap::new()).is_err());
    let wide = format!("SELECT concat({}) AS x FROM devices", vec!["device"; 5_000].join(", "));
    assert!(check(&wide, &BTreeMap::new()).is_err());
    let literal = format!("SELECT '{}' AS x FROM devices", "x".repeat(1_025));
    assert!(check(&literal, &BTreeMap::new()).is_err());
    let sum = |count: usize| format!("SELECT {} AS x FROM devices", vec!["1"; count].join(" + "));
    assert!(check(&sum(250), &BTreeMap::new()).is_ok(), "no deeper than a stack");
    for text in [
        sum(9_000),
        format!("SELECT device{} AS x FROM devices", " IS NULL".repeat(3_000)),
        format!(
            "SELECT device FROM devices{}",
            " UNION ALL SELECT device FROM devices".repeat(1_000)
        ),
        format!("SELECT device FROM devices WHERE {} device = 'a'", "NOT ".repeat(3_000)),
        format!("SELECT {}1{} AS x FROM devices", "abs(".repeat(3_000), ")".repeat(3_000)),
    ] {
        assert!(check(&text, &BTreeMap::new()).is_err(), "{}", &text[..60]);
    }
}

#[test]
fn what_rules_need_is_allowed() {
    for text in HONEST {
        assert!(
            check(text, &BTreeMap::new()).is_ok(),
            "{text}: {:?}",
            check(text, &BTreeMap::new()).err()
        );
    }
}

#[test]
fn a_query_names_the_tables_without_which_it_is_empty() {
    let cases: &[(&str, &[&str])] = &[
        ("SELECT device FROM devices", &["devices"]),
        (
            "SELECT d.device FROM devices AS d LEFT JOIN calibrations AS c ON c.device = d.device",
            &["devices"],
        ),
        (
            "SELECT d.device FROM devices AS d JOIN calibrations AS c ON c.device = d.device",
            &["calibrations", "devices"],
        ),
        ("SELECT device FROM devices UNION ALL SELECT device FROM calibrations", &[]),
        (
            "WITH a AS (SELECT device FROM devices), b AS (SELECT device FROM a) SELECT device FROM b",
            &["devices"],
        ),
        (
            "SELECT d.device FROM devices AS d WHERE EXISTS (SELECT 1 FROM coverage AS c WHERE c.covered_issuer = d.issuer)",
            &["coverage", "devices"],
        ),
        (
            "SELECT d.device FROM devices AS d WHERE NOT EXISTS (SELECT 1 FROM coverage AS c WHERE c.covered_issuer = d.issuer)",
            &["devices"],
        ),
    ];
    for (text, tables) in cases {
        let query = check(text, &BTreeMap::new()).expect("allowed");
        assert_eq!(
            query.required.iter().map(String::as_str).collect::<Vec<_>>(),
            *tables,
            "{text}"
        );
    }
}
