-- code     = "TRC-004"
-- title    = "An item was seen after its end was recorded"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4", "GS1 CBV 2.0, 7.1"]
-- innocent = ["it was sold, returned and sold again", "it came back or was put into use anew", "it is on its way as waste", "only its radio tag was ended", "the pack was dispensed in parts", "the clocks of two places differ", "one of the events was declared to be in error", "it is a class or lot, not one item"]
-- answer   = "Declare the wrong event to be in error, record the return or the new birth, or say which of the items carries the serial rightly."
-- expires  = "730d"
-- message_en = "{subject} was {ended_en} on {ended}, but seen on {seen} ({seen_step}); such events in all: {sightings}"
-- message_zh = "{subject} 于 {ended} {ended_zh}，却在 {seen} 又出现（{seen_step}）；此类事件共 {sightings} 个"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.type AS type, coalesce(e.action, '') AS action,
    coalesce(e.biz_step, '') AS biz_step, coalesce(e.disposition, '') AS disposition
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, i.role AS role, l.event_id AS event_id, l.event_at AS event_at,
    l.content_id AS content_id, l.type AS type, l.action AS action, l.biz_step AS biz_step,
    l.disposition AS disposition
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE 0 < strpos(i.item, '/21/')
),
-- What ends an item for good. A sale does not: goods are resold, and returns are often not read.
ends AS (
  SELECT item, event_at, event_id, content_id,
    CASE WHEN role = 'input' THEN 'used up' WHEN biz_step = 'destroying' THEN 'destroyed'
      WHEN biz_step = 'dispensing' THEN 'dispensed' ELSE 'taken out of use' END AS ended_en,
    CASE WHEN role = 'input' THEN '已被消耗' WHEN biz_step = 'destroying' THEN '已销毁'
      WHEN biz_step = 'dispensing' THEN '已发药' ELSE '已注销' END AS ended_zh
  FROM seen
  WHERE (type = 'TransformationEvent' AND role = 'input')
    OR (type = 'ObjectEvent' AND role = 'epc' AND action = 'DELETE'
      AND biz_step IN ('decommissioning', 'destroying'))
    OR (type = 'ObjectEvent' AND role = 'epc' AND biz_step = 'dispensing'
      AND disposition = 'dispensed')
),
first_end AS (
  SELECT item, min(event_at) AS ended,
    first_value(content_id ORDER BY event_at, event_id, content_id) AS end_id,
    first_value(ended_en ORDER BY event_at, event_id, content_id) AS ended_en,
    first_value(ended_zh ORDER BY event_at, event_id, content_id) AS ended_zh
  FROM ends
  GROUP BY item
),
reentries AS (
  SELECT item, min(event_at) AS event_at
  FROM (
    SELECT s.item AS item, s.event_at AS event_at
    FROM seen AS s JOIN first_end AS f ON f.item = s.item
    WHERE f.ended <= s.event_at
      AND (s.disposition = 'returned' OR s.role = 'output'
        OR (s.type = 'ObjectEvent' AND s.action = 'ADD')
        OR s.biz_step IN ('repairing', 'repackaging', 'installing'))
  ) AS entries
  GROUP BY item
),
late AS (
  SELECT s.item AS item, s.event_at AS event_at, s.event_id AS event_id,
    s.content_id AS content_id, s.biz_step AS biz_step, f.ended AS ended, f.end_id AS end_id,
    f.ended_en AS ended_en, f.ended_zh AS ended_zh
  FROM seen AS s
    JOIN first_end AS f ON f.item = s.item
    LEFT JOIN reentries AS r ON r.item = s.item
  WHERE unix_ms(f.ended) + $birth_clock_ms < unix_ms(s.event_at)
    AND (r.event_at IS NULL OR s.event_at < r.event_at)
    AND s.action <> 'DELETE' AND s.role IN ('epc', 'child')
    -- Steps that put goods into trade; what is inspected, held or collected may be waste.
    AND s.biz_step IN ('packing', 'picking', 'shipping', 'departing', 'transporting', 'arriving',
      'receiving', 'accepting', 'stocking', 'retail_selling', 'dispensing')
    AND s.disposition NOT IN ('damaged', 'destroyed', 'disposed', 'expired', 'inactive',
      'needs_replacement', 'non_conformant', 'non_sellable_other', 'partially_dispensed',
      'recalled', 'returned')
),
incidents AS (
  SELECT item, count(DISTINCT event_id) AS sightings, min(event_at) AS seen,
    max(event_at) AS period_end, min(ended) AS ended, min(ended_en) AS ended_en,
    min(ended_zh) AS ended_zh,
    first_value(biz_step ORDER BY event_at, event_id, content_id) AS seen_step,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT end_id ORDER BY end_id))) AS evidence
  FROM late
  GROUP BY item
)
SELECT item AS subject, seen AS anchor, ended AS period_start, period_end, evidence,
  cardinality(evidence) AS evidence_count, sightings, seen, seen_step, ended, ended_en, ended_zh
FROM incidents
ORDER BY subject, anchor
