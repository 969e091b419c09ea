-- code     = "TRC-022"
-- title    = "A sensor's readings were taken outside its calibration"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "location"
-- basis    = ["ISO/IEC 17025:2017, 6.4"]
-- innocent = ["a calibration was in force", "the record of a calibration is still to come", "no calibration of the device is on record", "the device measures nothing", "one of the events was declared to be in error"]
-- answer   = "Publish the calibration that was in force."
-- expires  = "730d"
-- message_en = "{subject} has an event of {first_at} with readings of {device}, of which no calibration was in force then; such events in all: {events}"
-- message_zh = "{subject} 有 {events} 个事件（最早 {first_at}）引用 {device} 的读数，当时该设备无有效校准"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
measuring AS (
  SELECT DISTINCT event_id FROM sensor_reports WHERE value IS NOT NULL
),
live AS (
  SELECT e.event_id AS event_id, min(e.event_at) AS event_at, min(e.content_id) AS content_id,
    e.device AS device, coalesce(e.read_point, e.biz_location) AS place
  FROM events AS e
    JOIN measuring AS m ON m.event_id = e.event_id
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND e.device IS NOT NULL AND coalesce(e.read_point, e.biz_location) IS NOT NULL
    AND unix_ms(e.event_at) + $record_days * 86400000 < $as_of_ms
  GROUP BY e.event_id, e.device, coalesce(e.read_point, e.biz_location)
),
periods AS (
  SELECT device, coalesce(valid_from, done_at) AS from_at, valid_to, content_id FROM calibrations
),
judged AS (
  SELECT l.place AS place, l.device AS device, l.event_id AS event_id, l.event_at AS event_at,
    l.content_id AS content_id,
    bool_or(p.from_at <= l.event_at AND (p.valid_to IS NULL OR l.event_at < p.valid_to)) AS is_calibrated,
    min(p.content_id) AS calibration
  FROM live AS l JOIN periods AS p ON p.device = l.device
  GROUP BY l.place, l.device, l.event_id, l.event_at, l.content_id
)
SELECT place AS subject, device AS anchor, min(event_at) AS period_start, max(event_at) AS period_end,
  array_concat(array_agg(DISTINCT content_id ORDER BY content_id), array_agg(DISTINCT calibration ORDER BY calibration)) AS evidence,
  count(DISTINCT content_id) + count(DISTINCT calibration) AS evidence_count,
  device, count(*) AS events, min(event_at) AS first_at
FROM judged
WHERE NOT is_calibrated
GROUP BY place, device
ORDER BY subject, anchor
