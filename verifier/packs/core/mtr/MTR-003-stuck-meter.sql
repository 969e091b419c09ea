-- code     = "MTR-003"
-- title    = "A meter shows one value again and again"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "device"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 59"]
-- innocent = ["a programmed load repeats its few levels", "the stretch is short", "the meter shows nothing because there is nothing", "a power factor stands at its bound", "the readings are declared as substituted or estimated"]
-- answer   = "Publish the instrument's diagnosis of the period, or a correction that replaces the readings by the method of the monitoring plan."
-- expires  = "1825d"
-- message_en = "{subject} shows {value} in each of {samples} readings ({series}) from {period_start} to {period_end}{moved_en}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {samples} 个读数（{series}）均为 {value}{moved_zh}"
WITH stretches AS (
  SELECT device, unnest(found) AS stretch
  FROM (
    SELECT device, stuck_runs(quantity || ' ' || unit, read_at, interval_s, amount, content_id,
      $stuck_samples_min, $stuck_p_max_ppb) AS found
    FROM meter_readings
    -- A ratio at its bound is not stuck.
    WHERE coalesce(statistic, 'sum') IN ('sum', 'mean') AND NOT starts_with(quantity, 'power_factor')
      AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
    GROUP BY device
  ) AS each
),
runs AS (
  SELECT device, stretch['start'] AS start_at, stretch['end'] AS end_at, stretch['samples'] AS samples,
    stretch['value'] AS value, stretch['n'] AS n, stretch['equal_ppm'] AS equal_ppm,
    stretch['p_ppb'] AS p_ppb, stretch['series'] AS series, stretch['evidence'] AS evidence,
    stretch['evidence_count'] AS evidence_count
  FROM stretches
),
-- A second source: the meter above or below it moved meanwhile.
beside AS (
  SELECT parent AS device, child AS other FROM meter_topology
  UNION
  SELECT child AS device, parent AS other FROM meter_topology
),
moved AS (
  SELECT r.device AS device, r.series AS series, r.start_at AS start_at, min(b.other) AS other
  FROM runs AS r
    JOIN beside AS b ON b.device = r.device
    JOIN (
      SELECT s.device AS device, s.series AS series, s.start_at AS start_at, x.other AS other,
        count(DISTINCT m.amount) AS levels
      FROM runs AS s
        JOIN beside AS x ON x.device = s.device
        JOIN meter_readings AS m ON m.device = x.other
      WHERE s.start_at < m.read_at AND m.read_at <= s.end_at
      GROUP BY s.device, s.series, s.start_at, x.other
    ) AS l ON l.device = r.device AND l.series = r.series AND l.start_at = r.start_at AND l.other = b.other
  WHERE r.samples <= 2 * l.levels
  GROUP BY r.device, r.series, r.start_at
)
SELECT r.device AS subject, CAST(r.start_at AS VARCHAR) || ' ' || r.series AS anchor,
  r.start_at AS period_start, r.end_at AS period_end, r.evidence AS evidence,
  r.evidence_count AS evidence_count,
  CASE WHEN m.other IS NULL THEN 'note' ELSE 'warning' END AS severity,
  r.series AS series, r.samples AS samples, r.value AS value, r.n AS n,
  r.samples * 1000000 AS statistic_ppm, $stuck_samples_min * 1000000 AS threshold_ppm, r.p_ppb AS p_ppb,
  CASE WHEN m.other IS NULL THEN '' ELSE ', while ' || m.other || ' moved' END AS moved_en,
  CASE WHEN m.other IS NULL THEN '' ELSE '，而 ' || m.other || ' 同期有变化' END AS moved_zh
FROM runs AS r LEFT JOIN moved AS m
  ON m.device = r.device AND m.series = r.series AND m.start_at = r.start_at
ORDER BY subject, anchor
