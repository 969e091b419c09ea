-- code     = "MTR-012"
-- title    = "A meter's share of the meter above it steps"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "facility"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["the step is small", "a meter was replaced, calibrated or set anew at the step", "the child uses more and the parent shows it", "days differ as they always did", "the levels are too short to say what is usual"]
-- answer   = "Say what changed between the meters, or publish both registers and calibrations around the day."
-- expires  = "1825d"
-- message_en = "{subject} shows {step_ppm} ppm more or less of what {parent} leaves for it ({series}) from {period_start} on, for {days} days"
-- message_zh = "自 {period_start} 起的 {days} 天，{subject} 占上级表 {parent} 余量的比例（{series}）变化了 {step_ppm} ppm"
-- # Thresholds: five percent and p < 1e-4 are the catalogue's; two weeks make a level.
WITH readings AS (
  SELECT device, quantity, base_unit(quantity, unit) AS unit, read_at, interval_s, content_id, facility,
    base_amount(quantity, amount, coalesce(scale_e10, 0), unit) AS amount
  FROM meter_readings
  WHERE coalesce(statistic, 'sum') = 'sum'
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
),
whole AS (
  SELECT parent, count(DISTINCT child) AS children FROM meter_topology GROUP BY parent
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
steps AS (
  SELECT parent, child, unnest(found) AS step
  FROM (
    SELECT parent, child,
      level_steps(quantity || ' ' || unit, read_at, interval_s, amount, content_id, beside * sign, 0,
        $step_days_min, $step_ppm, $step_p_max_ppb) AS found
    FROM left_over
    WHERE held = children
    GROUP BY parent, child
  ) AS each
),
levels AS (
  SELECT parent, child, step['start'] AS start_at, step['end'] AS end_at, step['noticed'] AS noticed_at,
    step['days'] AS days, step['step_ppm'] AS step_ppm, step['z_milli'] AS z_milli, step['n'] AS n,
    step['p_ppb'] AS p_ppb, step['series'] AS series, step['evidence'] AS evidence,
    step['evidence_count'] AS evidence_count
  FROM steps
),
changes AS (
  SELECT device, at FROM meter_events
  UNION
  SELECT device, done_at AS at FROM calibrations
),
changed AS (
  SELECT DISTINCT l.parent AS parent, l.child AS child, l.start_at AS start_at
  FROM levels AS l JOIN changes AS c ON c.device = l.child
  WHERE abs(unix_ms(c.at) - unix_ms(l.start_at)) <= $step_days_min * 86400000
  UNION
  SELECT DISTINCT l.parent AS parent, l.child AS child, l.start_at AS start_at
  FROM levels AS l JOIN changes AS c ON c.device = l.parent
  WHERE abs(unix_ms(c.at) - unix_ms(l.start_at)) <= $step_days_min * 86400000
),
-- What one child's step leaves to its siblings is no step of theirs.
echoes AS (
  SELECT DISTINCT l.parent AS parent, l.child AS child, l.start_at AS start_at
  FROM levels AS l JOIN levels AS o ON o.parent = l.parent
  WHERE o.child <> l.child AND abs(unix_ms(o.start_at) - unix_ms(l.start_at)) <= $step_days_min * 86400000
    AND abs(l.z_milli) < abs(o.z_milli)
)
SELECT l.child AS subject, CAST(l.start_at AS VARCHAR) || ' ' || l.series || ' ' || l.parent AS anchor,
  l.start_at AS period_start, l.end_at AS period_end, l.evidence AS evidence,
  l.evidence_count AS evidence_count, l.parent AS parent, l.series AS series, l.days AS days,
  l.noticed_at AS noticed_at, l.step_ppm AS step_ppm, l.n AS n, abs(l.z_milli) * 1000 AS statistic_ppm,
  l.p_ppb AS p_ppb
FROM levels AS l LEFT JOIN changed AS c
  ON c.parent = l.parent AND c.child = l.child AND c.start_at = l.start_at
  LEFT JOIN echoes AS e ON e.parent = l.parent AND e.child = l.child AND e.start_at = l.start_at
WHERE c.parent IS NULL AND e.parent IS NULL
ORDER BY subject, anchor
