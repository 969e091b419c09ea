-- code     = "TRC-021"
-- title    = "A sensor raised an alarm on goods and nobody found them sound since"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "nonconformity"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.3.7"]
-- innocent = ["the goods were found to conform afterwards", "the goods were set apart", "the sensor says that it is out of order", "one of the events was declared to be in error"]
-- answer   = "Record the inspection of the goods and its result."
-- expires  = "365d"
-- message_en = "{subject} had a sensor alarm ({measured}) on {raised}; such events in all: {alarms}"
-- message_zh = "{subject} 于 {raised} 有传感器报警（{measured}）；此类事件共 {alarms} 个"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
alarms AS (
  SELECT event_id, min(type) AS measured
  FROM sensor_reports
  WHERE exception = 'ALARM_CONDITION'
  GROUP BY event_id
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.biz_step, '') AS biz_step,
    coalesce(e.disposition, '') AS disposition, a.measured AS measured
  FROM events AS e
    LEFT JOIN alarms AS a ON a.event_id = e.event_id
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id,
    l.measured AS measured,
    (l.disposition IN ('conformant', 'damaged', 'destroyed', 'disposed', 'inactive', 'non_conformant',
        'non_sellable_other', 'recalled', 'returned', 'unavailable')
      OR l.biz_step IN ('inspecting', 'holding', 'destroying', 'decommissioning')) AS is_answer
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
),
answered AS (
  SELECT item, max(event_at) AS event_at FROM seen WHERE is_answer GROUP BY item
),
raised AS (
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    s.measured AS measured
  FROM seen AS s LEFT JOIN answered AS a ON a.item = s.item
  WHERE s.measured IS NOT NULL AND (a.event_at IS NULL OR a.event_at < s.event_at)
)
SELECT item AS subject, min(event_at) AS anchor, min(event_at) AS period_start, max(event_at) AS period_end,
  array_agg(DISTINCT content_id ORDER BY content_id) AS evidence, count(DISTINCT content_id) AS evidence_count,
  count(DISTINCT event_id) AS alarms, min(event_at) AS raised, min(measured) AS measured
FROM raised
GROUP BY item
ORDER BY subject, anchor
