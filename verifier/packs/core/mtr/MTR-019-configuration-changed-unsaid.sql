-- code     = "MTR-019"
-- title    = "A meter's configuration changed and nobody says so"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "nonconformity"
-- scope    = "device"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 59"]
-- innocent = ["the change is recorded", "the record of it is not late yet", "the device does not state its configuration each time"]
-- answer   = "Publish the record of the change, signed by the device's owner and by whoever calibrates it, with what was changed and why."
-- expires  = "1825d"
-- message_en = "{subject} has another configuration at {period_end} than at {period_start}, without a record of the change"
-- message_zh = "{subject} 在 {period_end} 的配置与 {period_start} 不同，且没有变更记录"
WITH stated AS (
  SELECT device, config_hash, read_at, content_id
  FROM meter_readings
  WHERE config_hash IS NOT NULL
),
pairs AS (
  SELECT device, config_hash, read_at, content_id,
    lag(config_hash) OVER (PARTITION BY device ORDER BY read_at, content_id, config_hash) AS before,
    lag(read_at) OVER (PARTITION BY device ORDER BY read_at, content_id, config_hash) AS before_at,
    lag(content_id) OVER (PARTITION BY device ORDER BY read_at, content_id, config_hash) AS before_id
  FROM stated
),
changes AS (
  SELECT device, before_at, read_at, before, config_hash, before_id, content_id
  FROM pairs
  WHERE before <> config_hash AND unix_ms(read_at) + $record_days * 86400000 < $as_of_ms
),
said AS (
  SELECT DISTINCT c.device AS device, c.read_at AS read_at
  FROM changes AS c JOIN meter_events AS e ON e.device = c.device
  WHERE e.kind IN ('config', 'swap') AND c.before_at <= e.at AND e.at <= c.read_at
)
SELECT c.device AS subject, CAST(c.read_at AS VARCHAR) || ' ' || c.config_hash AS anchor,
  c.before_at AS period_start, c.read_at AS period_end,
  make_array(c.before_id, c.content_id) AS evidence, 2 AS evidence_count,
  c.before AS config_before, c.config_hash AS config_after
FROM changes AS c LEFT JOIN said AS s ON s.device = c.device AND s.read_at = c.read_at
WHERE s.device IS NULL
ORDER BY subject, anchor
