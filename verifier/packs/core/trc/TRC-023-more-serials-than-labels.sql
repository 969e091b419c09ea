-- code     = "TRC-023"
-- title    = "More items of a lot were made than labels were ordered for it"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["GS1 General Specifications, 3.5.2"]
-- innocent = ["the label orders cover what was made", "a label order of the goods names no lot", "the log of whoever labels the goods is not held whole", "members differ in who labels the goods", "one item is recorded by two systems", "one of the events was declared to be in error"]
-- answer   = "Publish the label order that is missing, or declare the wrong events to be in error."
-- expires  = "730d"
-- message_en = "{subject} made more of lot {lot} of {class} than labels were ordered for it: {made} against {ordered}"
-- message_zh = "{subject} 登记生产 {class} 批次 {lot} 共 {made} 件，而该批次仅订购标签 {ordered} 枚"
WITH whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE covered_issuer IS NULL AND coalesce(kind, 'label') = 'label'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
-- Made, activated and scrapped are three words on one range.
ranges AS (
  SELECT class, lot, "order" AS name, first, last, max(count) AS count, min(content_id) AS content_id
  FROM labels
  GROUP BY class, lot, "order", first, last
),
owners AS (
  SELECT l.class AS class, min(w.to_at) AS known_to
  FROM labels AS l LEFT JOIN whole AS w ON w.covered_log = l.log
  GROUP BY l.class
  HAVING min(coalesce(l.issuer, '')) = max(coalesce(l.issuer, ''))
    AND bool_and(w.covered_log IS NOT NULL AND l.lot IS NOT NULL AND l.count IS NOT NULL)
),
ordered AS (
  SELECT r.class AS class, r.lot AS lot, sum(r.count) AS ordered, min(o.known_to) AS known_to,
    array_agg(DISTINCT r.content_id ORDER BY r.content_id) AS orders
  FROM ranges AS r JOIN owners AS o ON o.class = r.class
  GROUP BY r.class, r.lot
),
withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
births AS (
  SELECT e.event_id AS event_id, coalesce(e.issuer, '') AS issuer, e.event_at AS event_at,
    e.content_id AS content_id, e.type AS type, coalesce(e.read_point, e.biz_location) AS place
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND coalesce(e.read_point, e.biz_location) IS NOT NULL
    AND (e.type = 'TransformationEvent' OR (e.type = 'ObjectEvent' AND e.action = 'ADD'))
),
made AS (
  SELECT b.place AS place, split_part(i.item, '/21/', 1) AS class, i.lot AS lot,
    count(DISTINCT i.item) AS made, min(b.event_at) AS begun, max(b.event_at) AS ended,
    array_agg(DISTINCT b.content_id ORDER BY b.content_id) AS events
  FROM event_items AS i
    JOIN births AS b ON b.event_id = i.event_id AND coalesce(i.issuer, b.issuer) = b.issuer
  WHERE i.lot IS NOT NULL AND 0 < strpos(i.item, '/21/')
    AND ((b.type = 'TransformationEvent' AND i.role = 'output') OR (b.type = 'ObjectEvent' AND i.role = 'epc'))
  GROUP BY b.place, split_part(i.item, '/21/', 1), i.lot
)
SELECT m.place AS subject, m.class || ' ' || m.lot AS anchor, m.begun AS period_start, m.ended AS period_end,
  array_concat(o.orders, m.events) AS evidence, cardinality(o.orders) + cardinality(m.events) AS evidence_count,
  m.class AS class, m.lot AS lot, m.made AS made, o.ordered AS ordered
FROM made AS m JOIN ordered AS o ON o.class = m.class AND o.lot = m.lot
WHERE o.ordered < m.made AND m.ended <= o.known_to
ORDER BY subject, anchor
