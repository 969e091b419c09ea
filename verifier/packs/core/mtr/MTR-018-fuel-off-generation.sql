-- code     = "MTR-018"
-- title    = "Fuel burnt is not what the generation needs"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "facility"
-- basis    = ["ISO 14064-3:2019, 6.1.3.4", "Regulation (EU) 2018/2067, article 15"]
-- innocent = ["starting burns fuel without giving energy", "another fuel is burnt meanwhile", "one or two days are off", "the days before are too few to say what is usual", "a day is not whole"]
-- answer   = "Say what changed at the unit on those days, or publish the fuel and energy registers and the stock survey."
-- expires  = "1825d"
-- message_en = "{subject} burnt {off_ppm} ppm more or less {fuel} than its generation needs, on {days} days from {period_start} to {period_end}"
-- message_zh = "{subject} 在 {period_start} 至 {period_end} 的 {days} 天内，{fuel} 消耗与发电量所需相差 {off_ppm} ppm"
-- # Thresholds: six median deviations and three days are the catalogue's; chance by the false-alarm budget.
WITH readings AS (
  SELECT device, facility, quantity, interval_s, content_id, read_at,
    (unix_ms(read_at) - interval_s * 1000) / 86400000 AS day,
    base_amount(quantity, amount, coalesce(scale_e10, 0), unit) AS amount
  FROM meter_readings
  WHERE facility IS NOT NULL AND coalesce(statistic, 'sum') = 'sum'
    AND coalesce(quality, '') NOT IN ('substituted', 'estimated')
    AND quantity IN ('electricity_export', 'coal', 'coke', 'diesel', 'fuel_oil', 'gasoline', 'lpg', 'natural_gas', 'waste_gas')
),
meters AS (
  SELECT facility, quantity, count(DISTINCT device) AS meters FROM readings GROUP BY facility, quantity
),
each_day AS (
  SELECT facility, quantity, device, day, sum(amount) AS amount
  FROM readings
  GROUP BY facility, quantity, device, day, interval_s
  HAVING sum(interval_s) = 86400
),
days AS (
  SELECT e.facility AS facility, e.quantity AS quantity, e.day AS day, sum(e.amount) AS amount
  FROM each_day AS e JOIN meters AS m ON m.facility = e.facility AND m.quantity = e.quantity
  GROUP BY e.facility, e.quantity, e.day, m.meters
  HAVING count(*) = m.meters
),
-- Of two fuels one may stand in for the other.
one_fuel AS (
  SELECT facility, min(quantity) AS fuel
  FROM meters
  WHERE quantity <> 'electricity_export'
  GROUP BY facility
  HAVING count(*) = 1
),
points AS (
  SELECT f.facility AS facility, f.fuel AS fuel, from_unix_ms(x.day * 86400000) AS day_at,
    x.amount AS x, y.amount AS y
  FROM one_fuel AS f
    JOIN days AS x ON x.facility = f.facility
    JOIN days AS y ON y.facility = f.facility AND y.quantity = f.fuel AND y.day = x.day
  WHERE x.quantity = 'electricity_export'
),
off AS (
  SELECT facility, fuel, unnest(found) AS off
  FROM (
    SELECT facility, fuel,
      off_line(facility, day_at, x, y, $fuel_past_days, $fuel_days_min, $fuel_mad_milli, $fuel_load_ppm,
        $fuel_p_max_ppb) AS found
    FROM points
    GROUP BY facility, fuel
  ) AS each
),
stretches AS (
  SELECT facility, fuel, off['start'] AS start_at, off['end'] AS end_at, off['days'] AS days,
    off['off'] AS off_amount, off['off_ppm'] AS off_ppm, off['n'] AS n, off['p_ppb'] AS p_ppb
  FROM off
),
cited AS (
  SELECT s.facility AS facility, s.start_at AS start_at,
    array_agg(DISTINCT r.content_id ORDER BY r.content_id) AS evidence
  FROM stretches AS s JOIN readings AS r ON r.facility = s.facility
  WHERE s.start_at < r.read_at AND r.read_at <= s.end_at
  GROUP BY s.facility, s.start_at
)
SELECT s.facility AS subject, CAST(s.start_at AS VARCHAR) || ' ' || s.fuel AS anchor,
  s.start_at AS period_start, s.end_at AS period_end, c.evidence AS evidence,
  cardinality(c.evidence) AS evidence_count, s.fuel AS fuel, s.days AS days, s.off_amount AS off_amount,
  s.off_ppm AS off_ppm, s.n AS n, s.p_ppb AS p_ppb
FROM stretches AS s JOIN cited AS c ON c.facility = s.facility AND c.start_at = s.start_at
ORDER BY subject, anchor
