-- code     = "MTR-002"
-- title    = "A meter's register ran backwards or is not what its intervals add up to"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "inconsistency"
-- scope    = "device"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["the meter was replaced or its register rolled over between the two readings", "a reading between the two is not at hand", "the register shows whole steps and the interval's amount was rounded", "the same reading was recorded twice"]
-- answer   = "Publish the record of the replacement or rollover, or a correction that cites both readings and says which figure is right."
-- expires  = "1825d"
-- message_en = "{subject} {problem_en} from {period_start} on ({series}; places: {places}): the register moved by {moved} where the interval says {amount}"
-- message_zh = "{subject} 自 {period_start} 起有 {places} 处{problem_zh}（{series}）：表码变化 {moved}，而区间量为 {amount}"
WITH registers AS (
  SELECT device, quantity || ' ' || unit AS series, coalesce(scale_e10, 0) AS scale, interval_s,
    read_at, amount, register, coalesce(resolution, 1) AS step, content_id,
    row_number() OVER (PARTITION BY device, quantity, unit, coalesce(scale_e10, 0), interval_s, read_at ORDER BY content_id) AS copy
  FROM meter_readings
  WHERE register IS NOT NULL AND coalesce(statistic, 'sum') = 'sum'
),
pairs AS (
  SELECT device, series, interval_s, read_at, amount, register, step, content_id,
    lag(register) OVER (PARTITION BY device, series, scale, interval_s ORDER BY read_at, content_id) AS before,
    lag(read_at) OVER (PARTITION BY device, series, scale, interval_s ORDER BY read_at, content_id) AS before_at,
    lag(content_id) OVER (PARTITION BY device, series, scale, interval_s ORDER BY read_at, content_id) AS before_id
  FROM registers
  WHERE copy = 1
),
wrong AS (
  SELECT device, series, before_at, read_at, amount, register - before AS moved, before_id, content_id,
    CASE WHEN register < before THEN 'backwards' ELSE 'sum' END AS problem
  FROM pairs
  WHERE register < before
    OR (unix_ms(read_at) - unix_ms(before_at) = interval_s * 1000
      AND $register_steps * step < abs(register - before - amount))
),
changed AS (
  SELECT DISTINCT w.device AS device, w.series AS series, w.read_at AS read_at
  FROM wrong AS w JOIN meter_events AS e ON e.device = w.device
  WHERE e.kind IN ('swap', 'rollover') AND w.before_at <= e.at AND e.at <= w.read_at
),
kept AS (
  SELECT w.device AS device, w.series AS series, w.problem AS problem, w.before_at AS before_at,
    w.read_at AS read_at, w.amount AS amount, w.moved AS moved, w.before_id AS before_id,
    w.content_id AS content_id
  FROM wrong AS w LEFT JOIN changed AS c
    ON c.device = w.device AND c.series = w.series AND c.read_at = w.read_at
  WHERE c.device IS NULL
),
firsts AS (
  SELECT device, series, problem, amount, moved,
    row_number() OVER (PARTITION BY device, series, problem ORDER BY read_at, content_id) AS number
  FROM kept
),
cited AS (
  SELECT device, series, problem, before_id AS evidence FROM kept
  UNION
  SELECT device, series, problem, content_id AS evidence FROM kept
),
evidence AS (
  SELECT device, series, problem, array_agg(evidence ORDER BY evidence) AS evidence,
    count(*) AS evidence_count
  FROM cited
  GROUP BY device, series, problem
),
incidents AS (
  SELECT device, series, problem, min(before_at) AS period_start, max(read_at) AS period_end,
    count(*) AS places
  FROM kept
  GROUP BY device, series, problem
)
SELECT i.device AS subject, i.problem || ' ' || i.series AS anchor, i.period_start AS period_start,
  i.period_end AS period_end, e.evidence AS evidence,
  e.evidence_count AS evidence_count, i.series AS series, i.places AS places, f.moved AS moved,
  f.amount AS amount,
  CASE WHEN i.problem = 'sum' THEN 'is not what its intervals add up to' ELSE 'ran backwards' END AS problem_en,
  CASE WHEN i.problem = 'sum' THEN '表码与区间量之和不符' ELSE '表码倒走' END AS problem_zh
FROM incidents AS i
  JOIN firsts AS f ON f.device = i.device AND f.series = i.series AND f.problem = i.problem AND f.number = 1
  JOIN evidence AS e ON e.device = i.device AND e.series = i.series AND e.problem = i.problem
ORDER BY subject, anchor
