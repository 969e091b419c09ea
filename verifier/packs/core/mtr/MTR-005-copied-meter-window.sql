-- code     = "MTR-005"
-- title    = "Meter readings repeat an earlier stretch exactly"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "device"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["a programmed load repeats its few levels", "the repeat is short or of few values", "the readings are declared as substituted or estimated"]
-- answer   = "Publish the instrument's own log of the later period, or a correction that replaces the copied readings and says why."
-- expires  = "1825d"
-- message_en = "{subject} shows in {period_start} to {period_end} the same {samples} readings ({series}) as in {source_start} to {source_end}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {samples} 个读数（{series}）与 {source_start} 至 {source_end} 完全相同"
WITH readings AS (
  SELECT device, read_at, interval_s, amount, content_id, quantity || ' ' || unit AS series
  FROM meter_readings
  WHERE coalesce(statistic, 'sum') IN ('sum', 'mean')
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
),
windows AS (
  SELECT device, copied_windows(series, read_at, interval_s, amount, content_id,
    $copied_samples_min, $copied_values_min, $copied_rich_ppm, $copied_repeats_max) AS found
  FROM readings
  GROUP BY device
),
stretches AS (
  SELECT device, unnest(found) AS stretch FROM windows
)
SELECT device AS subject,
  stretch['copy_start'] AS anchor,
  stretch['copy_start'] AS period_start,
  stretch['copy_end'] AS period_end,
  stretch['evidence'] AS evidence,
  stretch['evidence_count'] AS evidence_count,
  stretch['copy_start'] AS copy_start,
  stretch['copy_end'] AS copy_end,
  stretch['source_start'] AS source_start,
  stretch['source_end'] AS source_end,
  stretch['samples'] AS samples,
  stretch['distinct_values'] AS distinct_values,
  stretch['series'] AS series,
  stretch['n'] AS n,
  stretch['samples'] * 1000000 AS statistic_ppm,
  $copied_samples_min * 1000000 AS threshold_ppm,
  stretch['p_ppb'] AS p_ppb
FROM stretches
ORDER BY subject, anchor
