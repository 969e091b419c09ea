-- code     = "MTR-008"
-- title    = "A meter shows less than the meter above it says"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "facility"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 28"]
-- innocent = ["a branch without a meter hangs below the parent", "a meter was replaced, calibrated or set anew in the period", "the clocks of the meters differ", "the child uses less and so does its parent", "the days before are too few to say what is usual"]
-- answer   = "Publish the child's and the parent's registers of the period and their calibrations, or a correction of the one that is wrong."
-- expires  = "1825d"
-- message_en = "{subject} shows about {missing} {unit} less than {parent} says, {missing_ppm} ppm of its {quantity}, on {days} days from {period_start} to {period_end}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {days} 天内比上级表 {parent} 所示少约 {missing} {unit}，占其 {quantity} 的 {missing_ppm} ppm"
WITH readings AS (
  SELECT device, quantity, base_unit(quantity, unit) AS unit, read_at, interval_s, content_id,
    base_amount(quantity, amount, coalesce(scale_e10, 0), unit) AS amount
  FROM meter_readings
  WHERE coalesce(statistic, 'sum') = 'sum'
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
),
-- Only where the plan says that the children are all there are.
whole AS (
  SELECT parent FROM meter_topology GROUP BY parent HAVING bool_and(coalesce(complete, false))
),
pairs AS (
  SELECT t.parent AS parent, t.child AS child, p.quantity AS quantity, p.unit AS unit,
    c.read_at AS read_at, c.interval_s AS interval_s, c.amount * t.sign AS amount,
    p.amount AS parent_amount, c.content_id AS content_id, p.content_id AS parent_content_id
  FROM whole AS w
    JOIN meter_topology AS t ON t.parent = w.parent
    JOIN readings AS p ON p.device = t.parent
    JOIN readings AS c ON c.device = t.child AND c.quantity = p.quantity AND c.unit = p.unit
      AND c.read_at = p.read_at AND c.interval_s = p.interval_s
  WHERE coalesce(t.from_at < c.read_at, true) AND coalesce(c.read_at <= t.to_at, true)
),
cuts AS (
  SELECT parent, quantity, unit, unnest(found) AS cut
  FROM (
    SELECT parent, quantity, unit,
      cut_children(child, read_at, interval_s, amount, parent_amount, content_id, parent_content_id,
        $gain_ppm, $balance_days_min, $balance_p_max_ppb) AS found
    FROM pairs
    GROUP BY parent, quantity, unit
  ) AS each
),
incidents AS (
  SELECT parent, quantity, unit, cut['child'] AS child, cut['start'] AS start_at, cut['end'] AS end_at,
    cut['noticed'] AS noticed_at,
    cut['days'] AS days, cut['missing_ppm'] AS missing_ppm, cut['missing'] AS missing,
    cut['z_milli'] AS z_milli, cut['n'] AS n, cut['p_ppb'] AS p_ppb, cut['evidence'] AS evidence,
    cut['evidence_count'] AS evidence_count
  FROM cuts
),
changes AS (
  SELECT device, at FROM meter_events
  UNION
  SELECT device, done_at AS at FROM calibrations
),
changed AS (
  SELECT DISTINCT i.parent AS parent, i.quantity AS quantity, i.start_at AS start_at
  FROM incidents AS i JOIN changes AS c ON c.device = i.child
  WHERE unix_ms(i.start_at) - 86400000 <= unix_ms(c.at) AND c.at <= i.end_at
  UNION
  SELECT DISTINCT i.parent AS parent, i.quantity AS quantity, i.start_at AS start_at
  FROM incidents AS i JOIN changes AS c ON c.device = i.parent
  WHERE unix_ms(i.start_at) - 86400000 <= unix_ms(c.at) AND c.at <= i.end_at
)
SELECT i.child AS subject, CAST(i.start_at AS VARCHAR) || ' ' || i.quantity || ' ' || i.parent AS anchor,
  i.start_at AS period_start, i.end_at AS period_end, i.evidence AS evidence,
  i.evidence_count AS evidence_count, i.parent AS parent, i.quantity AS quantity, i.unit AS unit,
  i.noticed_at AS noticed_at, i.days AS days, i.missing AS missing, i.missing_ppm AS missing_ppm, i.n AS n,
  i.z_milli * 1000 AS statistic_ppm, i.p_ppb AS p_ppb
FROM incidents AS i LEFT JOIN changed AS c
  ON c.parent = i.parent AND c.quantity = i.quantity AND c.start_at = i.start_at
WHERE c.parent IS NULL
ORDER BY subject, anchor
