-- code     = "ACT-003"
-- title    = "Reported activity is not what the meters show"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "misstatement"
-- scope    = "facility"
-- basis    = ["ISO 14064-3:2019, 6.1.3", "Regulation (EU) 2018/2066, article 28"]
-- innocent = ["the difference is within the accuracy of the meters and the rounding of the report", "readings of the period are missing", "a meter was replaced or its register rolled over in the period", "the amount is a default or substituted value", "a meter hangs below another or beside it", "the report was corrected by a later version"]
-- answer   = "Name the meters and the boundary that the figure rests on in the monitoring plan, publish what is missing, or correct the report."
-- expires  = "1825d"
-- message_en = "{subject} reports {reported} {unit} of {quantity} for {period_start} to {period_end}; its meters show {metered} {unit}, give or take {tolerance} {unit}"
-- message_zh = "{subject} 报告 {period_start} 至 {period_end} 的 {quantity} 为 {reported} {unit}；其计量器具显示 {metered} {unit}，允差 {tolerance} {unit}"
WITH homes AS (
  SELECT device, min(facility) AS facility
  FROM (
    SELECT device, facility FROM plan_streams WHERE device IS NOT NULL
    UNION ALL
    SELECT device, facility FROM devices WHERE facility IS NOT NULL
  ) AS known
  GROUP BY device
),
-- A line's quantity is its parameter, or its source stream where the parameter says `activity`.
planned AS (
  SELECT DISTINCT facility, device,
    CASE WHEN parameter IN ('activity', 'activity_data', 'consumption') THEN source_stream ELSE parameter END AS quantity
  FROM plan_streams
  WHERE device IS NOT NULL AND coalesce(rank, 1) = 1
),
plans AS (
  SELECT facility, quantity, count(DISTINCT device) AS devices FROM planned GROUP BY facility, quantity
),
versions AS (
  SELECT facility, report, max(coalesce(version, 0)) AS version
  FROM emission_lines
  GROUP BY facility, report
),
lines AS (
  SELECT l.content_id AS content_id, l.facility AS facility, l.report AS report,
    l.period_start AS period_start, l.period_end AS period_end, l.parameter AS parameter,
    CASE WHEN l.parameter IN ('activity', 'activity_data', 'consumption') THEN l.source_stream ELSE l.parameter END AS quantity,
    l.amount AS amount, coalesce(l.scale_e10, 0) AS scale, l.unit AS unit,
    coalesce(l.state, 'measured') AS state
  FROM emission_lines AS l JOIN versions AS v
    ON v.facility = l.facility AND v.report = l.report AND v.version = coalesce(l.version, 0)
),
reported AS (
  SELECT facility, report, quantity, period_start, period_end,
    (unix_ms(period_end) - unix_ms(period_start)) / 1000 AS period_s,
    min(base_unit(quantity, unit)) AS unit,
    sum(CAST(base_amount(quantity, amount, scale, unit) AS DECIMAL(38, 0))) AS amount,
    sum(CAST(coalesce(base_amount(quantity, 1, scale, unit), 1) AS DECIMAL(38, 0))) AS step,
    array_agg(DISTINCT content_id ORDER BY content_id) AS evidence
  FROM lines
  WHERE base_amount(quantity, amount, scale, unit) IS NOT NULL
  GROUP BY facility, report, quantity, period_start, period_end
  HAVING bool_and(state = 'measured') AND min(parameter) = max(parameter)
    AND min(base_unit(quantity, unit)) = max(base_unit(quantity, unit))
),
metered AS (
  SELECT r.content_id AS content_id, coalesce(r.facility, h.facility) AS facility, r.device AS device,
    r.quantity AS quantity, base_unit(r.quantity, r.unit) AS unit, r.read_at AS read_at,
    r.interval_s AS interval_s, from_unix_ms(unix_ms(r.read_at) - r.interval_s * 1000) AS begun_at,
    base_amount(r.quantity, r.amount, coalesce(r.scale_e10, 0), r.unit) AS amount
  FROM meter_readings AS r LEFT JOIN homes AS h ON h.device = r.device
  WHERE coalesce(r.statistic, 'sum') = 'sum'
),
meters AS (
  SELECT DISTINCT facility, quantity, device FROM metered
),
-- Without a plan, a meter below another one of the same kind adds nothing.
below AS (
  SELECT DISTINCT m.facility AS facility, m.quantity AS quantity, t.child AS device
  FROM meter_topology AS t JOIN meters AS m ON m.device = t.parent
),
counted AS (
  SELECT m.facility AS facility, m.quantity AS quantity, m.device AS device, s.devices AS planned
  FROM meters AS m
    LEFT JOIN plans AS s ON s.facility = m.facility AND s.quantity = m.quantity
    LEFT JOIN planned AS p
      ON p.facility = m.facility AND p.quantity = m.quantity AND p.device = m.device
    LEFT JOIN below AS b
      ON b.facility = m.facility AND b.quantity = m.quantity AND b.device = m.device
  WHERE p.device IS NOT NULL OR (s.devices IS NULL AND b.device IS NULL)
),
-- An interval that was recorded twice counts once; where the two disagree, both bounds are kept.
intervals AS (
  SELECT p.facility AS facility, p.report AS report, p.quantity AS quantity,
    p.period_start AS period_start, p.period_end AS period_end, m.device AS device,
    m.read_at AS read_at, m.interval_s AS interval_s, min(m.amount) AS low, max(m.amount) AS high,
    bool_and(m.amount IS NOT NULL) AS known
  FROM reported AS p JOIN metered AS m
    ON m.facility = p.facility AND m.quantity = p.quantity AND m.unit = p.unit
      AND p.period_start <= m.begun_at AND m.read_at <= p.period_end
  GROUP BY p.facility, p.report, p.quantity, p.period_start, p.period_end, m.device, m.read_at,
    m.interval_s
),
totals AS (
  SELECT facility, report, quantity, period_start, period_end, device,
    sum(CAST(low AS DECIMAL(38, 0))) AS low, sum(CAST(high AS DECIMAL(38, 0))) AS high,
    sum(interval_s) AS covered_s, min(low) AS least, bool_and(known) AS known
  FROM intervals
  GROUP BY facility, report, quantity, period_start, period_end, device
),
rated AS (
  SELECT device, max(rated_ppm) AS ppm FROM calibrations GROUP BY device
),
classes AS (
  SELECT device, max(accuracy_ppm) AS ppm FROM devices GROUP BY device
),
changed AS (
  SELECT device, at FROM meter_events WHERE kind IN ('swap', 'rollover')
),
changes AS (
  SELECT t.facility AS facility, t.report AS report, t.quantity AS quantity,
    t.period_start AS period_start, count(*) AS changes
  FROM totals AS t JOIN changed AS c ON c.device = t.device
  WHERE t.period_start <= c.at AND c.at <= t.period_end
  GROUP BY t.facility, t.report, t.quantity, t.period_start
),
summed AS (
  SELECT p.facility AS facility, p.report AS report, p.quantity AS quantity,
    p.period_start AS period_start, p.period_end AS period_end, p.unit AS unit,
    p.amount AS reported, p.step AS step, p.evidence AS evidence,
    max(c.planned) AS planned, count(*) AS devices,
    sum(t.low) AS low_sum, max(t.low) AS low_one, sum(t.high) AS high_sum,
    bool_and(t.covered_s = p.period_s) AS each_whole,
    sum(t.covered_s) = p.period_s AS handed_over,
    bool_and(t.covered_s <= p.period_s) AND bool_and(t.known) AS sound,
    min(t.least) AS least,
    sum(t.high * CAST(coalesce(r.ppm, k.ppm, CASE WHEN p.quantity = 'electricity' THEN $meter_electricity_ppm ELSE $meter_other_ppm END) AS DECIMAL(38, 0))) AS error_ppm
  FROM reported AS p
    JOIN totals AS t ON t.facility = p.facility AND t.report = p.report AND t.quantity = p.quantity
      AND t.period_start = p.period_start AND t.period_end = p.period_end
    JOIN counted AS c ON c.facility = t.facility AND c.quantity = t.quantity AND c.device = t.device
    LEFT JOIN rated AS r ON r.device = t.device
    LEFT JOIN classes AS k ON k.device = t.device
  GROUP BY p.facility, p.report, p.quantity, p.period_start, p.period_end, p.unit, p.amount,
    p.step, p.period_s, p.evidence
),
-- Several meters without a plan may stand one behind the other: then the truth lies between the
-- largest of them and their sum.
bounds AS (
  SELECT facility, report, quantity, period_start, period_end, unit, reported, evidence, least, sound,
    CASE WHEN planned IS NOT NULL OR handed_over THEN low_sum ELSE low_one END AS low,
    high_sum AS high,
    CASE WHEN planned IS NOT NULL THEN each_whole AND devices = planned ELSE each_whole OR handed_over END AS whole,
    CAST($meter_coverage AS DECIMAL(38, 0)) * error_ppm / CAST(1000000 AS DECIMAL(38, 0)) + step AS tolerance
  FROM summed
),
wrong AS (
  SELECT b.facility AS facility, b.report AS report, b.quantity AS quantity,
    b.period_start AS period_start, b.period_end AS period_end, b.unit AS unit,
    CAST(b.reported AS BIGINT) AS reported, CAST(b.tolerance AS BIGINT) AS tolerance,
    CAST(CASE WHEN b.reported < b.low THEN b.low ELSE b.high END AS BIGINT) AS metered,
    b.evidence AS evidence
  FROM bounds AS b LEFT JOIN changes AS c
    ON c.facility = b.facility AND c.report = b.report AND c.quantity = b.quantity
      AND c.period_start = b.period_start
  WHERE b.sound AND c.changes IS NULL
    AND ((b.reported + b.tolerance < b.low AND (b.whole OR 0 <= b.least))
      OR (b.high + b.tolerance < b.reported AND b.whole))
),
readings AS (
  SELECT w.facility AS facility, w.report AS report, w.quantity AS quantity,
    w.period_start AS period_start, w.period_end AS period_end,
    array_agg(DISTINCT m.content_id ORDER BY m.content_id) AS evidence
  FROM wrong AS w
    JOIN counted AS c ON c.facility = w.facility AND c.quantity = w.quantity
    JOIN metered AS m ON m.facility = c.facility AND m.quantity = c.quantity AND m.device = c.device
      AND w.period_start <= m.begun_at AND m.read_at <= w.period_end
  GROUP BY w.facility, w.report, w.quantity, w.period_start, w.period_end
)
SELECT w.facility AS subject,
  CAST(w.period_start AS VARCHAR) || ' ' || w.quantity || ' ' || w.report AS anchor,
  w.period_start AS period_start, w.period_end AS period_end,
  array_concat(w.evidence, r.evidence) AS evidence,
  cardinality(w.evidence) + cardinality(r.evidence) AS evidence_count,
  w.report AS report, w.quantity AS quantity, w.unit AS unit, w.reported AS reported,
  w.metered AS metered, w.reported - w.metered AS difference, w.tolerance AS tolerance
FROM wrong AS w JOIN readings AS r
  ON r.facility = w.facility AND r.report = w.report AND r.quantity = w.quantity
    AND r.period_start = w.period_start AND r.period_end = w.period_end
ORDER BY subject, anchor
