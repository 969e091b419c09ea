-- code     = "MTR-014"
-- title    = "A meter's days run backwards"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["the site's shift moved to the night", "one day happens to look reversed", "a typical day looks the same backwards", "the readings are declared as substituted or estimated"]
-- answer   = "Publish the instrument's own log of the days, or a correction in the right order."
-- expires  = "1825d"
-- message_en = "{subject} is like its typical day only when read backwards, from {period_start} to {period_end} ({series}; days: {days})"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {days} 天（{series}）只有倒序后才与其典型日相似"
-- # Thresholds: signs of both correlations and 0.8 are the catalogue's; chance by the false-alarm budget.
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
found AS (
  SELECT r.device AS device,
    reversed_days(r.quantity || ' ' || r.unit, r.read_at, r.interval_s, r.amount, r.content_id,
      coalesce(c.offset_s, 0), $reversed_past_days, $reversed_r_ppm, $reversed_p_max_ppb) AS found
  FROM meter_readings AS r LEFT JOIN clocks AS c ON c.facility = r.facility
  WHERE coalesce(r.statistic, 'sum') IN ('sum', 'mean') AND NOT starts_with(r.quantity, 'power_factor')
    AND coalesce(r.quality, '') NOT IN ('substituted', 'estimated')
  GROUP BY r.device
),
stretches AS (
  SELECT device, unnest(found) AS one FROM found
)
SELECT device AS subject, CAST(one['start'] AS VARCHAR) || ' ' || one['series'] AS anchor,
  one['start'] AS period_start, one['end'] AS period_end, one['evidence'] AS evidence,
  one['evidence_count'] AS evidence_count, one['series'] AS series,
  one['days'] AS days,
  one['forward_ppm'] AS forward_ppm,
  one['reversed_ppm'] AS reversed_ppm,
  one['n'] AS n,
  one['p_ppb'] AS p_ppb
FROM stretches
ORDER BY subject, anchor
