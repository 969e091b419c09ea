-- code     = "MTR-011"
-- title    = "A meter's clock is off"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "inconsistency"
-- scope    = "facility"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["the clock is a few minutes fast", "a spool that drained late was logged long after it was read", "summer time begins or ends at the site", "the table is sorted by something else"]
-- answer   = "Publish the record of the clock's setting, or a correction with the right instants."
-- expires  = "1825d"
-- message_en = "{subject} {problem_en} ({series}; {places_en}: {places}), from {period_start} to {period_end}"
-- message_zh = "{subject} 自 {period_start} 至 {period_end} 共 {places} {places_zh}{problem_zh}（{series}）"
-- # An instant after its own admission is arithmetic, hence an error. A shift is statistics: a note, or
-- # a warning where the meter above disagrees. Thresholds: drift of a logger; false-alarm budget.
WITH sites AS (
  SELECT facility, min(utc_offset) AS utc_offset FROM facilities GROUP BY facility
),
-- A day begins at midnight of the site's clock.
clocks AS (
  SELECT facility,
    -- `+08:00`: hours carry the sign, minutes take it over.
    CAST(split_part(utc_offset, ':', 1) AS BIGINT) * 3600
      + CASE WHEN starts_with(utc_offset, '-') THEN -60 ELSE 60 END * CAST(split_part(utc_offset, ':', 2) AS BIGINT) AS offset_s
  FROM sites
),
ahead AS (
  SELECT device, quantity || ' ' || unit AS series, min(read_at) AS start_at, max(read_at) AS end_at,
    count(DISTINCT content_id) AS places, max(unix_ms(read_at) - unix_ms(from_hi)) / 1000 AS by_s,
    array_agg(DISTINCT content_id ORDER BY content_id) AS evidence
  FROM meter_readings
  WHERE from_hi IS NOT NULL AND unix_ms(from_hi) + $clock_ms < unix_ms(read_at)
  GROUP BY device, quantity, unit
),
-- Rows of a plain table in the order in which they were written.
written AS (
  SELECT device, quantity || ' ' || unit || ' ' || coalesce(statistic, 'sum') AS series, interval_s, read_at,
    content_id, split_part(content_id, '#', 1) AS file,
    CAST(split_part(content_id, '#', 2) AS BIGINT) AS place
  FROM meter_readings
  WHERE starts_with(content_id, 'file:')
),
ordered AS (
  SELECT device, series, read_at, content_id,
    lag(read_at) OVER (PARTITION BY file, device, series, interval_s ORDER BY place, content_id) AS before_at,
    lag(content_id) OVER (PARTITION BY file, device, series, interval_s ORDER BY place, content_id) AS before_id
  FROM written
),
backwards AS (
  SELECT device, series, sum(CASE WHEN read_at < before_at THEN 1 ELSE 0 END) AS places, count(*) AS n
  FROM ordered
  GROUP BY device, series
),
steps_back AS (
  SELECT o.device AS device, o.series AS series, max(b.places) AS places, min(o.read_at) AS start_at,
    max(o.before_at) AS end_at, array_agg(DISTINCT o.content_id ORDER BY o.content_id) AS evidence
  FROM backwards AS b JOIN ordered AS o ON o.device = b.device AND o.series = b.series
  WHERE o.read_at < o.before_at AND b.places * 1000000 < $backwards_ppm * b.n
  GROUP BY o.device, o.series
),
readings AS (
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
late AS (
  SELECT device, other, unnest(found) AS one
  FROM (
    SELECT r.device AS device, '' AS other,
      shifted_days(r.quantity || ' ' || r.unit, r.read_at, r.interval_s, r.amount, r.content_id,
        coalesce(c.offset_s, 0), $shifted_past_days, $shifted_lag_s, $shifted_r_ppm, $shifted_gain_ppm,
        $shifted_days_min, $shifted_p_max_ppb) AS found
    FROM meter_readings AS r LEFT JOIN clocks AS c ON c.facility = r.facility
    WHERE coalesce(r.statistic, 'sum') IN ('sum', 'mean') AND NOT starts_with(r.quantity, 'power_factor')
    AND coalesce(r.quality, '') NOT IN ('substituted', 'estimated')
    GROUP BY r.device
    UNION ALL
    SELECT l.child AS device, l.parent AS other,
      lagging_days(l.quantity || ' ' || l.unit, l.read_at, l.interval_s, l.amount, l.content_id,
        l.beside * l.sign, coalesce(c.offset_s, 0), $shifted_past_days, $shifted_lag_s, $shifted_r_ppm,
        $shifted_gain_ppm, $shifted_days_min, $shifted_p_max_ppb) AS found
    FROM left_over AS l LEFT JOIN clocks AS c ON c.facility = l.facility
    WHERE l.held = l.children
    GROUP BY l.child, l.parent
  ) AS each
),
shifts AS (
  SELECT device, other, one['start'] AS start_at, one['end'] AS end_at, one['days'] AS days,
    one['lag_s'] AS lag_s, one['n'] AS n, one['p_ppb'] AS p_ppb, one['series'] AS series,
    one['evidence'] AS evidence, one['evidence_count'] AS evidence_count
  FROM late
)
SELECT device AS subject, 'ahead ' || series AS anchor, start_at AS period_start, end_at AS period_end,
  evidence, cardinality(evidence) AS evidence_count, 'error' AS severity, series, places,
  'records' AS places_en, '条记录' AS places_zh, by_s AS lag_s, CAST(NULL AS BIGINT) AS n, CAST(NULL AS BIGINT) AS p_ppb,
  'signed instants up to ' || CAST(by_s AS VARCHAR) || ' s after they were logged' AS problem_en,
  '签署的时刻比入账晚，最多 ' || CAST(by_s AS VARCHAR) || ' 秒' AS problem_zh
FROM ahead
UNION ALL
SELECT device AS subject, 'backwards ' || series AS anchor, start_at AS period_start, end_at AS period_end,
  evidence, cardinality(evidence) AS evidence_count, 'note' AS severity, series, places,
  'places' AS places_en, '处' AS places_zh, CAST(NULL AS BIGINT) AS lag_s, CAST(NULL AS BIGINT) AS n,
  CAST(NULL AS BIGINT) AS p_ppb, 'was written with instants that go back' AS problem_en,
  '写入的时刻倒退' AS problem_zh
FROM steps_back
UNION ALL
SELECT device AS subject, CAST(start_at AS VARCHAR) || ' ' || series || ' ' || other AS anchor,
  start_at AS period_start, end_at AS period_end, evidence, evidence_count,
  CASE WHEN other = '' THEN 'note' ELSE 'warning' END AS severity, series, days AS places,
  'days' AS places_en, '天' AS places_zh, lag_s, n, p_ppb,
  'is shifted by ' || CAST(lag_s AS VARCHAR) || ' s against '
    || CASE WHEN other = '' THEN 'its own typical day' ELSE other END AS problem_en,
  '与' || CASE WHEN other = '' THEN '自身典型日' ELSE ' ' || other || ' ' END || '相差 '
    || CAST(lag_s AS VARCHAR) || ' 秒' AS problem_zh
FROM shifts
-- Where a clock is set by an hour on a weekend, life at the site is.
WHERE other <> '' OR abs(lag_s) <> 3600
  OR NOT ((unix_ms(start_at) / 86400000 + 3) % 7 IN (5, 6, 0))
ORDER BY subject, anchor
