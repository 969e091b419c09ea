-- code     = "MTR-013"
-- title    = "A meter's days vary far less than they did"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["the site stands still", "one day is less varied than others", "the days before varied as little", "the readings are declared as substituted or estimated"]
-- answer   = "Say what ran evenly at the site on those days, or publish the instrument's own log of them."
-- expires  = "1825d"
-- message_en = "{subject} varies by {variation_ppm} ppm of its mean at most within a day from {period_start} to {period_end} ({series}; days: {days}), usually by {usual_ppm} ppm"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {days} 天内日内变化不超过均值的 {variation_ppm} ppm（{series}），平时为 {usual_ppm} ppm"
-- # Thresholds: a fifth of the usual over 60 days, as the catalogue says; chance by the false-alarm budget.
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
    flat_days(r.quantity || ' ' || r.unit, r.read_at, r.interval_s, r.amount, r.content_id,
      coalesce(c.offset_s, 0), $flat_past_days, $flat_ppm, $flat_level_ppm, $flat_p_max_ppb) AS found
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
  one['variation_ppm'] AS variation_ppm,
  one['usual_ppm'] AS usual_ppm,
  one['n'] AS n,
  one['p_ppb'] AS p_ppb
FROM stretches
ORDER BY subject, anchor
