-- code     = "MTR-010"
-- title    = "A meter's peaks stop at one value"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["a contract or an inverter always held that value", "the site used less, with peaks of many sizes", "the meter shows coarse steps", "the days before are too few to say what is usual", "the readings are declared as substituted or estimated"]
-- answer   = "Say what limits the site since then, or publish the instrument's own log of the period."
-- expires  = "1825d"
-- message_en = "{subject} reaches {limit} in {samples} readings ({series}) from {period_start} to {period_end} and never passes it, as it did before"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 有 {samples} 个读数（{series}）恰为 {limit} 且从不超过，而此前经常超过"
-- # Thresholds: five equal peaks or one in a hundred, as the catalogue says; chance by the false-alarm budget.
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
    clipped_weeks(r.quantity || ' ' || r.unit, r.read_at, r.interval_s, r.amount, r.content_id,
      coalesce(c.offset_s, 0), $clipped_past_days, $clipped_samples_min, $clipped_near_ppm,
      $clipped_share_ppm, $clipped_p_max_ppb) AS found
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
  one['limit'] AS limit,
  one['samples'] AS samples,
  one['tail_ppm'] AS tail_ppm,
  one['usual_tail_ppm'] AS usual_tail_ppm,
  one['n'] AS n,
  one['p_ppb'] AS p_ppb
FROM stretches
ORDER BY subject, anchor
