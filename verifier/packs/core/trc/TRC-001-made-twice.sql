-- code     = "TRC-001"
-- title    = "One serial was made more than once"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4", "GS1 CBV 2.0, 7.1"]
-- innocent = ["two systems recorded one birth", "the output of a transformation was commissioned afterwards", "it was taken out of use before it was made anew", "one of the events was declared to be in error", "it is a class or lot, not one item"]
-- answer   = "Declare the wrong event to be in error, or say which of the items carries the serial rightly."
-- expires  = "730d"
-- message_en = "{subject} was made {births} times: on {born_before} by {maker_before} and again on {born} by {maker}"
-- message_zh = "{subject} 登记生产 {births} 次：{born_before}（{maker_before}），又于 {born}（{maker}）"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.type AS type, coalesce(e.action, '') AS action,
    coalesce(e.biz_step, 'commissioning') AS biz_step,
    coalesce(e.read_point, e.biz_location, '') AS place
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, i.role AS role, l.event_id AS event_id, l.event_at AS event_at,
    l.content_id AS content_id, l.issuer AS issuer, l.type AS type, l.action AS action,
    l.biz_step AS biz_step, l.place AS place
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE 0 < strpos(i.item, '/21/')
),
births AS (
  SELECT item, event_id, issuer, min(event_at) AS born, min(content_id) AS content_id,
    min(place) AS place, bool_or(type = 'TransformationEvent') AS is_output
  FROM seen
  WHERE (type = 'TransformationEvent' AND role = 'output')
    OR (type = 'ObjectEvent' AND role = 'epc' AND action = 'ADD'
      AND biz_step IN ('commissioning', 'creating_class_instance'))
  GROUP BY item, event_id, issuer
),
ends AS (
  SELECT item, event_at
  FROM seen
  WHERE type = 'ObjectEvent' AND role = 'epc'
    AND (action = 'DELETE' OR biz_step IN ('decommissioning', 'destroying', 'killing'))
),
ordered AS (
  SELECT item, event_id, issuer, born, content_id, place, is_output,
    lag(born) OVER (PARTITION BY item ORDER BY born, event_id, issuer) AS born_before,
    lag(content_id) OVER (PARTITION BY item ORDER BY born, event_id, issuer) AS id_before,
    lag(issuer) OVER (PARTITION BY item ORDER BY born, event_id, issuer) AS issuer_before,
    lag(place) OVER (PARTITION BY item ORDER BY born, event_id, issuer) AS place_before,
    lag(is_output) OVER (PARTITION BY item ORDER BY born, event_id, issuer) AS output_before
  FROM births
),
again AS (
  SELECT item, event_id, issuer, born, content_id, born_before, id_before, issuer_before,
    issuer <> issuer_before OR (place <> place_before AND place <> '' AND place_before <> '')
      AS is_elsewhere
  FROM ordered AS o
  WHERE unix_ms(born_before) + $birth_clock_ms < unix_ms(born)
    AND NOT (output_before AND NOT is_output AND issuer = issuer_before)
    AND NOT EXISTS (
      SELECT 1 FROM ends AS d
      WHERE d.item = o.item AND o.born_before <= d.event_at AND d.event_at <= o.born)
),
incidents AS (
  SELECT item, count(*) + 1 AS births, bool_or(is_elsewhere) AS is_elsewhere,
    min(born) AS born, max(born) AS last_born,
    first_value(born_before ORDER BY born, event_id, issuer) AS born_before,
    first_value(issuer ORDER BY born, event_id, issuer) AS maker,
    first_value(issuer_before ORDER BY born, event_id, issuer) AS maker_before,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT id_before ORDER BY id_before))) AS evidence
  FROM again
  GROUP BY item
)
-- One maker who records one serial twice at one place may have posted one production twice.
SELECT item AS subject, born AS anchor, born_before AS period_start, last_born AS period_end,
  evidence, cardinality(evidence) AS evidence_count,
  CASE WHEN is_elsewhere THEN 'warning' ELSE 'note' END AS severity, births, born, born_before,
  nullif(maker, '') AS maker, nullif(maker_before, '') AS maker_before
FROM incidents
ORDER BY subject, anchor
