-- code     = "TRC-006"
-- title    = "An item was packed into one unit and taken out of another"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4.3"]
-- innocent = ["it was taken out before it was packed again", "a unit stands inside the other", "it was packed into the first again", "the clocks of two places differ", "a sensor is attached to it", "one of the events was declared to be in error"]
-- answer   = "Record the unpacking that is missing, or declare the wrong event to be in error."
-- expires  = "365d"
-- message_en = "{subject} was packed into {unit} on {packed} and taken out of {other} on {taken}, where it had been since {packed_before}"
-- message_zh = "{subject} 于 {packed} 装入 {unit}，却于 {taken} 从 {other} 取出（此前于 {packed_before} 装入）"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.action, '') AS action
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  -- An association lasts beside packing: a sensor on a case, a part in a vehicle.
  WHERE w.event_id IS NULL AND e.type = 'AggregationEvent'
),
held AS (
  SELECT c.item AS item, p.item AS unit, l.action AS action, l.event_at AS event_at,
    l.event_id AS event_id, l.content_id AS content_id
  FROM event_items AS c
    JOIN live AS l ON l.event_id = c.event_id AND coalesce(c.issuer, l.issuer) = l.issuer
    JOIN event_items AS p ON p.event_id = c.event_id AND coalesce(p.issuer, l.issuer) = l.issuer
  WHERE c.role = 'child' AND p.role = 'parent' AND c.quantity IS NULL
    AND (0 < strpos(c.item, '/21/') OR NOT starts_with(c.item, 'https://id.gs1.org/01/'))
),
moves AS (
  SELECT item, unit, action, event_at, event_id, content_id,
    lag(unit) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS unit_1,
    lag(action) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS action_1,
    lag(event_at) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS at_1,
    lag(content_id) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS id_1,
    lag(unit, 2) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS unit_2,
    lag(action, 2) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS action_2,
    lag(event_at, 2) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS at_2,
    lag(content_id, 2) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS id_2,
    lead(unit) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS unit_next,
    lead(action) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS action_next
  FROM held
),
-- Into the first, into the second, out of the first: three events that name the item itself.
crossed AS (
  SELECT item, unit AS other, unit_1 AS unit, event_at AS taken, at_1 AS packed,
    at_2 AS packed_before, make_array(content_id, id_1, id_2) AS ids
  FROM moves
  WHERE action = 'DELETE' AND action_1 = 'ADD' AND action_2 = 'ADD'
    AND unit = unit_2 AND unit <> unit_1
    AND unix_ms(at_1) + $birth_clock_ms < unix_ms(event_at)
    AND unix_ms(at_2) + $birth_clock_ms < unix_ms(at_1)
    -- Of a case on a pallet, what is in the case may be listed as of both.
    AND NOT (coalesce(action_next, '') = 'DELETE' AND coalesce(unit_next, '') = unit_1)
)
SELECT item AS subject, taken AS anchor, packed_before AS period_start, taken AS period_end,
  ids AS evidence, cardinality(ids) AS evidence_count, unit, other, packed, packed_before, taken
FROM crossed
ORDER BY subject, anchor
