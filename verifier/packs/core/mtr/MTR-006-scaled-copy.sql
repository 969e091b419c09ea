-- code     = "MTR-006"
-- title    = "Meter readings are earlier ones times a number"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "facility"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["units that run in parallel show one shape at one time", "a flat load is like any other flat load", "a programmed load steps between its few levels", "the stretch is short", "the readings are declared as substituted or estimated", "the repetition is exact, which MTR-005 tells"]
-- answer   = "Publish the instrument's own log of the later period, or a correction that replaces the copied readings and says why."
-- expires  = "1825d"
-- message_en = "{subject} shows in {period_start} to {period_end} the {samples} readings of {source} in {source_start} to {source_end}, times {scale_ppm} ppm"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {samples} 个读数与 {source} 在 {source_start} 至 {source_end} 的读数成固定比例（{scale_ppm} ppm）"
-- # Thresholds: two days of hours within half a percent, as honest meters never repeat themselves (see MTR-005).
WITH found AS (
  SELECT coalesce(facility, device) AS site, quantity, unit,
    scaled_copies(device, read_at, interval_s, amount, content_id,
      $scaled_samples_min, $scaled_difference_ppm, $scaled_variation_ppm,
      $copied_values_min, $copied_rich_ppm) AS copies
  FROM meter_readings
  WHERE coalesce(statistic, 'sum') IN ('sum', 'mean')
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
  GROUP BY coalesce(facility, device), quantity, unit
),
stretches AS (
  SELECT quantity || ' ' || unit AS series, unnest(copies) AS copy FROM found
)
SELECT copy['series'] AS subject, CAST(copy['start'] AS VARCHAR) || ' ' || series AS anchor,
  copy['start'] AS period_start, copy['end'] AS period_end, copy['evidence'] AS evidence,
  copy['evidence_count'] AS evidence_count, series, copy['source_series'] AS source,
  copy['source_start'] AS source_start, copy['source_end'] AS source_end,
  copy['samples'] AS samples, copy['scale_ppm'] AS scale_ppm,
  copy['difference_ppm'] AS difference_ppm, copy['n'] AS n,
  copy['samples'] * 1000000 AS statistic_ppm, $scaled_samples_min * 1000000 AS threshold_ppm
FROM stretches
ORDER BY subject, anchor
