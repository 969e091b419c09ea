-- code     = "MTR-020"
-- title    = "A meter's week is unlike its own past"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["weeks differ as they always did", "the use of the site changed slowly", "days are missing", "the readings are declared as substituted or estimated"]
-- answer   = "Say what changed at the site in that week, or publish the instrument's own log of it."
-- expires  = "1825d"
-- message_en = "{subject} is unlike its own {past_days} days before from {period_start} to {period_end} ({series}; weeks: {weeks}), most in its {reason}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {weeks} 周内（{series}）与此前 {past_days} 天明显不同，最突出的是：{reason_zh}"
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
    unlike_weeks(r.quantity || ' ' || r.unit, r.read_at, r.interval_s, r.amount, r.content_id,
      coalesce(c.offset_s, 0), $unlike_score_milli, $unlike_report_milli) AS weeks
  FROM meter_readings AS r LEFT JOIN clocks AS c ON c.facility = r.facility
  WHERE coalesce(r.statistic, 'sum') IN ('sum', 'mean')
    AND coalesce(r.quality, '') NOT IN ('substituted', 'estimated')
  GROUP BY r.device
),
stretches AS (
  SELECT device, unnest(weeks) AS week FROM found
)
SELECT device AS subject, CAST(week['start'] AS VARCHAR) || ' ' || week['series'] AS anchor,
  week['start'] AS period_start, week['end'] AS period_end, week['evidence'] AS evidence,
  week['evidence_count'] AS evidence_count, week['series'] AS series, week['weeks'] AS weeks,
  week['days'] AS past_days, week['noticed'] AS noticed_at,
  week['reason'] AS reason, week['reason_zh'] AS reason_zh, week['reason_milli'] AS reason_milli,
  week['days'] AS n, week['score_milli'] * 1000 AS statistic_ppm,
  $unlike_score_milli * 1000 AS threshold_ppm
FROM stretches
ORDER BY subject, anchor
