-- code     = "TRC-020"
-- title    = "The same sensor readings were told of other goods days later"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["GS1 EPCIS 2.0, 7.3.7"]
-- innocent = ["one logger travelled with several units", "the readings of one journey are told of the same goods again", "few readings may repeat by chance", "one of the events was declared to be in error"]
-- answer   = "Publish the logger's own record, or declare the wrong event to be in error."
-- expires  = "730d"
-- message_en = "{readings} readings of {device} told at {subject} on {first_at} are told again of other goods on {again_at}"
-- message_zh = "{device} 于 {first_at} 在 {subject} 的 {readings} 个读数，于 {again_at} 又用于其他货物"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
read AS (
  SELECT event_id, count(*) AS readings, count(DISTINCT value) AS different
  FROM sensor_reports
  WHERE value IS NOT NULL
  GROUP BY event_id
),
live AS (
  SELECT e.event_id AS event_id, min(e.event_at) AS event_at, min(e.content_id) AS content_id, min(r.readings) AS readings,
    e.device AS device, e.sensor_hash AS sensor_hash, coalesce(e.read_point, e.biz_location) AS place
  FROM events AS e
    JOIN read AS r ON r.event_id = e.event_id
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND e.device IS NOT NULL AND e.sensor_hash IS NOT NULL
    AND coalesce(e.read_point, e.biz_location) IS NOT NULL
    AND $replay_readings_min <= r.readings AND $copied_values_min <= r.different
  GROUP BY e.event_id, e.device, e.sensor_hash, coalesce(e.read_point, e.biz_location)
),
repeats AS (
  SELECT place, device, sensor_hash, event_id, event_at, content_id, readings,
    lag(event_id) OVER (PARTITION BY place, device, sensor_hash ORDER BY event_at, event_id) AS event_before,
    lag(event_at) OVER (PARTITION BY place, device, sensor_hash ORDER BY event_at, event_id) AS at_before,
    lag(content_id) OVER (PARTITION BY place, device, sensor_hash ORDER BY event_at, event_id) AS id_before
  FROM live
),
shared AS (
  SELECT DISTINCT r.event_id AS event_id, r.event_before AS event_before
  FROM repeats AS r
    JOIN event_items AS i ON i.event_id = r.event_id
    JOIN event_items AS j ON j.event_id = r.event_before AND j.item = i.item
),
again AS (
  SELECT r.place AS place, r.device AS device, r.sensor_hash AS sensor_hash, r.event_at AS event_at,
    r.content_id AS content_id, r.readings AS readings, r.at_before AS at_before, r.id_before AS id_before
  FROM repeats AS r
    LEFT JOIN shared AS s ON s.event_id = r.event_id AND s.event_before = r.event_before
  WHERE s.event_id IS NULL AND unix_ms(r.at_before) + $replay_apart_ms < unix_ms(r.event_at)
)
SELECT place AS subject, device || ' ' || sensor_hash AS anchor, min(at_before) AS period_start,
  max(event_at) AS period_end,
  array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
    array_agg(DISTINCT id_before ORDER BY id_before))) AS evidence,
  cardinality(array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
    array_agg(DISTINCT id_before ORDER BY id_before)))) AS evidence_count,
  device, max(readings) AS readings, min(at_before) AS first_at, min(event_at) AS again_at
FROM again
GROUP BY place, device, sensor_hash
ORDER BY subject, anchor
