-- code     = "MTR-007"
-- title    = "Meters of different sites show days of one shape"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "network"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["both sites run by one tariff or programme on every day", "two days agree by chance", "the meters stand one below the other", "a flat load is like any other flat load"]
-- answer   = "Publish the instruments' own logs of both sites for the days, or say what ran at both."
-- expires  = "1825d"
-- message_en = "{subject} and {other} show {days} days of one shape ({quantity}) from {period_start} to {period_end}, with a correlation of {r_ppm} ppm or more"
-- message_zh = "{subject} 与 {other} 在 {period_start} 至 {period_end} 有 {days} 天的用量曲线（{quantity}）形状相同，相关系数不低于 {r_ppm} ppm"
-- # Thresholds: 99.9 % of honest pairs of days stay under 0.907, the largest is 0.945; three days in thirty.
WITH beside AS (
  SELECT parent AS device, child AS other FROM meter_topology
  UNION
  SELECT child AS device, parent AS other FROM meter_topology
),
days AS (
  SELECT device, coalesce(facility, device) AS site, quantity, starts_at, content_id,
    array_to_string(shape, ' ') AS hours
  FROM meter_days
  WHERE n * interval_s = 86400 AND 1 < "distinct"
),
found AS (
  SELECT quantity, unnest(pairs) AS pair
  FROM (
    SELECT quantity, alike_sites(device, site, starts_at, hours, content_id,
      $alike_r_ppm, $alike_days_min, $alike_within_days, $alike_around_days) AS pairs
    FROM days
    GROUP BY quantity
  ) AS each
),
alike AS (
  SELECT quantity, pair['device'] AS device, pair['other'] AS other, pair['start'] AS start_at,
    pair['end'] AS end_at, pair['days'] AS days, pair['r_ppm'] AS r_ppm, pair['n'] AS n,
    pair['evidence'] AS evidence, pair['evidence_count'] AS evidence_count
  FROM found
)
SELECT a.device AS subject, CAST(a.start_at AS VARCHAR) || ' ' || a.quantity || ' ' || a.other AS anchor,
  a.start_at AS period_start, a.end_at AS period_end, a.evidence AS evidence,
  a.evidence_count AS evidence_count, a.other AS other, a.quantity AS quantity, a.days AS days,
  a.r_ppm AS r_ppm, a.n AS n, a.r_ppm AS statistic_ppm, $alike_r_ppm AS threshold_ppm
FROM alike AS a LEFT JOIN beside AS b ON b.device = a.device AND b.other = a.other
WHERE b.device IS NULL
ORDER BY subject, anchor
