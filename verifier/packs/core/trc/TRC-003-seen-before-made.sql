-- code     = "TRC-003"
-- title    = "An item was seen before it was made"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4"]
-- innocent = ["the clocks of two places differ", "one of the events was declared to be in error", "the code was written before the goods were made", "it is a class or lot, not one item"]
-- answer   = "Declare the wrong event to be in error, or say when the item was made."
-- expires  = "730d"
-- message_en = "{subject} was seen on {seen}, before it was made on {born}; such events in all: {sightings}"
-- message_zh = "{subject} 于 {seen} 已被扫描，早于其生产时间 {born}；此类事件共 {sightings} 个"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.action, '') AS action, coalesce(e.biz_step, '') AS biz_step
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, l.event_at AS event_at, l.content_id AS content_id, l.biz_step AS biz_step,
    (i.role = 'output' OR (i.role = 'epc' AND l.action = 'ADD')) AS is_birth
  FROM event_items AS i JOIN live AS l ON l.event_id = i.event_id
  WHERE 0 < strpos(i.item, '/21/')
),
births AS (
  SELECT item, min(event_at) AS born,
    first_value(content_id ORDER BY event_at, content_id) AS birth_id
  FROM seen
  WHERE is_birth
  GROUP BY item
),
early AS (
  SELECT s.item AS item, s.event_at AS event_at, s.content_id AS content_id, b.born AS born,
    b.birth_id AS birth_id
  FROM seen AS s JOIN births AS b ON b.item = s.item
  WHERE NOT s.is_birth AND s.biz_step <> 'encoding'
    AND unix_ms(s.event_at) + $birth_clock_ms < unix_ms(b.born)
),
incidents AS (
  SELECT item, count(*) AS sightings, min(event_at) AS seen, min(born) AS born,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT birth_id ORDER BY birth_id))) AS evidence
  FROM early
  GROUP BY item
)
SELECT item AS subject, seen AS anchor, seen AS period_start, born AS period_end, evidence,
  cardinality(evidence) AS evidence_count, sightings, seen, born
FROM incidents
ORDER BY subject, anchor
