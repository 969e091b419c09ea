-- code     = "MTR-009"
-- title    = "A meter's power factor is not that of its energies"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "inconsistency"
-- scope    = "device"
-- basis    = ["IEC 62053-24:2020", "ISO 14064-1:2018, 8.1"]
-- innocent = ["the energies are too small for the digits that the meter shows", "the power factor is of the leading current", "the figures are of different intervals"]
-- answer   = "Publish the meter's own log of the period: active energy, reactive energy and power factor of each interval."
-- expires  = "1825d"
-- message_en = "{subject} shows another power factor from {period_start} to {period_end} than its energies have (intervals: {places}): first {shown_ppm} ppm, where they give {computed_ppm} ppm"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {places} 个区间内功率因数与电量不符：首个显示 {shown_ppm} ppm，按电量应为 {computed_ppm} ppm"
WITH readings AS (
  SELECT device, quantity, read_at, interval_s, content_id, coalesce(resolution, 1) AS step,
    base_amount(quantity, amount, coalesce(scale_e10, 0), unit) AS amount,
    base_amount(quantity, coalesce(resolution, 1), coalesce(scale_e10, 0), unit) AS digit
  FROM meter_readings
  WHERE quantity IN ('electricity', 'reactive_lag', 'power_factor_lag')
),
intervals AS (
  SELECT p.device AS device, p.read_at AS read_at, p.amount AS active, q.amount AS reactive,
    f.amount AS shown, greatest(coalesce(p.digit, 1), coalesce(q.digit, 1)) AS digit,
    p.content_id AS active_id, q.content_id AS reactive_id, f.content_id AS shown_id
  FROM readings AS p
    JOIN readings AS q ON q.device = p.device AND q.read_at = p.read_at AND q.interval_s = p.interval_s
    JOIN readings AS f ON f.device = p.device AND f.read_at = p.read_at AND f.interval_s = p.interval_s
  WHERE p.quantity = 'electricity' AND q.quantity = 'reactive_lag' AND f.quantity = 'power_factor_lag'
    AND 0 < p.amount AND 0 <= q.amount
),
-- cos phi of the interval; a digit of either energy moves it by no more than digit / apparent energy.
apparent AS (
  SELECT device, read_at, active, shown, digit, active_id, reactive_id, shown_id,
    power_factor_ppm(active, reactive) AS computed
  FROM intervals
),
wrong AS (
  SELECT device, read_at, shown, computed, active_id, reactive_id, shown_id
  FROM apparent
  WHERE $power_factor_ppm + (2 * digit * computed) / active < abs(shown - computed)
),
firsts AS (
  SELECT device, shown, computed,
    row_number() OVER (PARTITION BY device ORDER BY read_at, active_id, reactive_id, shown_id) AS number
  FROM wrong
),
cited AS (
  SELECT device, active_id AS evidence FROM wrong
  UNION
  SELECT device, reactive_id AS evidence FROM wrong
  UNION
  SELECT device, shown_id AS evidence FROM wrong
),
evidence AS (
  SELECT device, array_agg(evidence ORDER BY evidence) AS evidence, count(*) AS evidence_count
  FROM cited
  GROUP BY device
),
incidents AS (
  SELECT device, min(read_at) AS first_at, max(read_at) AS last_at, count(DISTINCT read_at) AS places
  FROM wrong
  GROUP BY device
)
SELECT i.device AS subject, i.first_at AS anchor, i.first_at AS period_start, i.last_at AS period_end,
  e.evidence AS evidence, e.evidence_count AS evidence_count, i.places AS places,
  f.shown AS shown_ppm, f.computed AS computed_ppm
FROM incidents AS i
  JOIN firsts AS f ON f.device = i.device AND f.number = 1
  JOIN evidence AS e ON e.device = i.device
ORDER BY subject, anchor
