-- code     = "MTR-004"
-- title    = "A meter shows nothing while another one says that there is something"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "facility"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["the meter shows nothing because there is nothing", "another branch uses what the parent shows", "a branch without a meter hangs below the parent", "the stretch is short", "the second process often runs without it"]
-- answer   = "Publish the instrument's own log and registers of the period, or a correction that replaces the readings by the method of the monitoring plan."
-- expires  = "1825d"
-- message_en = "{subject} shows nothing in {samples} readings ({series}) from {period_start} to {period_end}, while {other} {why_en}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {samples} 个读数（{series}）均为零，而 {other} {why_zh}"
-- # Thresholds: two hours and a tenth of the usual are the catalogue's; chance by the false-alarm budget.
WITH readings AS (
  SELECT device, quantity, base_unit(quantity, unit) AS unit, read_at, interval_s, content_id, facility,
    base_amount(quantity, amount, coalesce(scale_e10, 0), unit) AS amount
  FROM meter_readings
  WHERE coalesce(statistic, 'sum') = 'sum'
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
),
-- Only where the plan says that the children are all there are.
whole AS (
  SELECT parent, count(DISTINCT child) AS children FROM meter_topology
  GROUP BY parent HAVING bool_and(coalesce(complete, false))
),
pairs AS (
  SELECT t.parent AS parent, t.child AS child, w.children AS children, c.facility AS facility,
    p.quantity AS quantity, p.unit AS unit, c.read_at AS read_at, c.interval_s AS interval_s,
    c.amount AS amount, t.sign AS sign, p.amount AS parent_amount, c.content_id AS content_id,
    p.content_id AS parent_content_id
  FROM whole AS w
    JOIN meter_topology AS t ON t.parent = w.parent
    JOIN readings AS p ON p.device = t.parent
    JOIN readings AS c ON c.device = t.child AND c.quantity = p.quantity AND c.unit = p.unit
      AND c.read_at = p.read_at AND c.interval_s = p.interval_s
  WHERE coalesce(t.from_at < c.read_at, true) AND coalesce(c.read_at <= t.to_at, true)
),
-- What the parent and the other children leave for each child.
left_over AS (
  SELECT parent, child, children, facility, quantity, unit, read_at, interval_s, amount, content_id,
    parent_content_id, sign,
    parent_amount - sum(amount * sign) OVER (PARTITION BY parent, quantity, unit, read_at, interval_s)
      + amount * sign AS beside,
    count(*) OVER (PARTITION BY parent, quantity, unit, read_at, interval_s) AS held
  FROM pairs
),
-- Meters of one emission unit, in the plan: where one runs, so does the other.
plan AS (
  SELECT DISTINCT facility, unit_id, device FROM plan_streams WHERE unit_id IS NOT NULL AND device IS NOT NULL
),
partners AS (
  SELECT DISTINCT a.device AS device, b.device AS other
  FROM plan AS a JOIN plan AS b ON b.facility = a.facility AND b.unit_id = a.unit_id
  WHERE a.device <> b.device
),
beside_it AS (
  SELECT child AS device, parent AS other, true AS is_parent, quantity || ' ' || unit AS series, read_at,
    interval_s, amount, content_id, beside * sign AS beside, parent_content_id AS beside_id
  FROM left_over
  WHERE held = children
  UNION ALL
  SELECT r.device AS device, p.other AS other, false AS is_parent,
    r.quantity || ' ' || r.unit || ' beside ' || o.quantity AS series, r.read_at AS read_at,
    r.interval_s AS interval_s, r.amount AS amount, r.content_id AS content_id, o.amount AS beside,
    o.content_id AS beside_id
  FROM partners AS p
    JOIN readings AS r ON r.device = p.device
    JOIN readings AS o ON o.device = p.other AND o.read_at = r.read_at AND o.interval_s = r.interval_s
  WHERE o.quantity <> r.quantity
),
runs AS (
  SELECT device, other, is_parent, unnest(found) AS run
  FROM (
    SELECT device, other, is_parent,
      dark_runs(series, read_at, interval_s, amount, content_id, beside, beside_id,
        $dark_s_min, $dark_live_ppm, $dark_p_max_ppb) AS found
    FROM beside_it
    GROUP BY device, other, is_parent
  ) AS each
)
SELECT device AS subject, CAST(run['start'] AS VARCHAR) || ' ' || run['series'] || ' ' || other AS anchor,
  run['start'] AS period_start, run['end'] AS period_end, run['evidence'] AS evidence,
  run['evidence_count'] AS evidence_count,
  CASE WHEN is_parent THEN 'warning' ELSE 'note' END AS severity, other, run['series'] AS series,
  run['samples'] AS samples, run['missing'] AS missing, run['n'] AS n,
  run['samples'] * 1000000 AS statistic_ppm, run['p_ppb'] AS p_ppb,
  CASE WHEN is_parent THEN 'and its other children leave ' || CAST(run['missing'] AS VARCHAR) || ' for it'
    ELSE 'of the same unit runs' END AS why_en,
  CASE WHEN is_parent THEN '及其其他下级表表明应有 ' || CAST(run['missing'] AS VARCHAR)
    ELSE '属同一机组且在运行' END AS why_zh
FROM runs
ORDER BY subject, anchor
