-- code     = "TRC-007"
-- title    = "A unit held items that nobody packed into it"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4.3", "GS1 CBV 2.0, 7.2"]
-- innocent = ["every item that came out was packed", "the log of whoever packed is not held whole", "nobody recorded the packing of the unit", "what is listed is inside a case inside the unit", "the clocks of two places differ", "one of the events was declared to be in error"]
-- answer   = "Publish the packing event that is missing, or declare the wrong event to be in error."
-- expires  = "365d"
-- message_en = "{subject} held {packed} of this sort when it was packed, and {extra} more came out of it, for one {example}"
-- message_zh = "{subject} 登记装入此类产品 {packed} 件，开箱时多出 {extra} 件，其中有 {example}"
WITH whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE covered_issuer IS NULL AND coalesce(kind, 'event') = 'event'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id, e.log AS log,
    coalesce(e.issuer, '') AS issuer, e.type AS type, coalesce(e.action, '') AS action,
    starts_with(coalesce(e.disposition, ''), 'mismatch_') AS is_stated
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
boxes AS (
  SELECT i.item AS unit, l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id,
    l.log AS log, l.issuer AS issuer, l.action AS action
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  -- A logistic unit is packed once; a returnable box again and again.
  WHERE i.role = 'parent' AND l.type = 'AggregationEvent' AND starts_with(i.item, 'https://id.gs1.org/00/')
),
inside AS (
  SELECT u.unit AS unit, c.item AS item,
    CASE WHEN starts_with(c.item, 'https://id.gs1.org/00/') THEN '00' ELSE split_part(c.item, '/21/', 1) END AS family,
    u.event_at AS event_at, u.content_id AS content_id, u.log AS log, u.issuer AS issuer,
    u.action AS action
  FROM boxes AS u
    JOIN event_items AS c ON c.event_id = u.event_id AND coalesce(c.issuer, u.issuer) = u.issuer
  WHERE c.role = 'child' AND c.quantity IS NULL
    AND (0 < strpos(c.item, '/21/') OR starts_with(c.item, 'https://id.gs1.org/00/'))
),
fills AS (
  SELECT i.unit AS unit, i.family AS family, min(i.event_at) AS packed_at, min(w.to_at) AS known_to,
    min(i.issuer) AS packer, count(DISTINCT i.item) AS packed,
    array_agg(DISTINCT i.content_id ORDER BY i.content_id) AS packings
  FROM inside AS i LEFT JOIN whole AS w ON w.covered_log = i.log
  WHERE i.action = 'ADD'
  GROUP BY i.unit, i.family
  HAVING bool_and(w.covered_log IS NOT NULL)
),
extras AS (
  SELECT t.unit AS unit, t.family AS family, t.item AS item, t.event_at AS event_at,
    t.content_id AS content_id
  FROM inside AS t JOIN fills AS f ON f.unit = t.unit AND f.family = t.family
  WHERE t.action <> 'ADD' AND t.event_at <= f.known_to
    AND unix_ms(f.packed_at) + $birth_clock_ms < unix_ms(t.event_at)
    AND NOT EXISTS (
      SELECT 1 FROM inside AS p WHERE p.unit = t.unit AND p.item = t.item AND p.action = 'ADD')
),
-- Whoever received the unit says that it holds something else.
stated AS (
  SELECT i.item AS unit, l.issuer AS issuer, l.content_id AS content_id
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE l.is_stated AND starts_with(i.item, 'https://id.gs1.org/00/')
),
incidents AS (
  SELECT unit, family, count(DISTINCT item) AS extra, min(item) AS example, min(event_at) AS opened,
    max(event_at) AS period_end, array_agg(DISTINCT content_id ORDER BY content_id) AS openings
  FROM extras
  GROUP BY unit, family
),
words AS (
  SELECT i.unit AS unit, i.family AS family, count(s.content_id) AS words,
    array_agg(DISTINCT s.content_id ORDER BY s.content_id) AS ids
  FROM incidents AS i
    JOIN fills AS f ON f.unit = i.unit AND f.family = i.family
    JOIN stated AS s ON s.unit = i.unit
  WHERE s.issuer <> f.packer
  GROUP BY i.unit, i.family
)
-- A packing scan that was missed looks the same: only with the receiver's word is it a warning.
SELECT i.unit AS subject, i.family AS anchor, f.packed_at AS period_start, i.period_end AS period_end,
  array_concat(f.packings, i.openings, coalesce(w.ids, make_array(f.packings[1]))) AS evidence,
  cardinality(array_distinct(array_concat(f.packings, i.openings, coalesce(w.ids, make_array(f.packings[1]))))) AS evidence_count,
  CASE WHEN 0 < coalesce(w.words, 0) THEN 'warning' ELSE 'note' END AS severity,
  f.packed AS packed, i.extra AS extra, i.example AS example, i.opened AS opened
FROM incidents AS i
  JOIN fills AS f ON f.unit = i.unit AND f.family = i.family
  LEFT JOIN words AS w ON w.unit = i.unit AND w.family = i.family
ORDER BY subject, anchor
