-- code     = "TRC-017"
-- title    = "Records differ in an item's lot or date"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 General Specifications, 3.4", "Regulation (EU) 2016/161, article 36"]
-- innocent = ["every record tells the same", "the date is written with and without a time of day", "a later description corrects the date of the lot", "it was decommissioned before it was made anew", "one of the events was declared to be in error", "it is a class or lot, not one item"]
-- answer   = "Declare the wrong event to be in error, or correct the description of the lot."
-- expires  = "730d"
-- message_en = "{subject} has records that tell its {what_en} in different ways: {told}"
-- message_zh = "{subject} 各记录所载{what_zh}不同：{told}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.type AS type, coalesce(e.action, '') AS action
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, i.lot AS lot, i.other_lot AS other_lot,
    CASE WHEN i.expiry LIKE '____-__-__%' THEN split_part(split_part(i.expiry, 'T', 1), ' ', 1) END AS expiry,
    l.event_at AS event_at, l.content_id AS content_id,
    (i.role = 'epc' AND l.type = 'ObjectEvent' AND l.action = 'DELETE') AS is_end
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE 0 < strpos(i.item, '/21/')
),
-- A serial that was ended and used again has two lives.
ended AS (
  SELECT DISTINCT item FROM seen WHERE is_end
),
first_lives AS (
  SELECT s.item AS item, s.lot AS lot, s.other_lot AS other_lot, s.expiry AS expiry, s.event_at AS event_at,
    s.content_id AS content_id
  FROM seen AS s LEFT JOIN ended AS d ON d.item = s.item
  WHERE d.item IS NULL AND (s.lot IS NOT NULL OR s.expiry IS NOT NULL)
),
single AS (
  SELECT item, split_part(item, '/21/', 1) AS class, min(lot) AS lot
  FROM first_lives
  WHERE lot IS NOT NULL
  GROUP BY item
  HAVING min(lot) = max(lot) AND count(other_lot) = 0
),
-- The newest description of a lot by each issuer.
described AS (
  SELECT item AS class, lot, expiry, content_id,
    row_number() OVER (PARTITION BY item, lot, issuer ORDER BY from_at DESC NULLS LAST, content_id DESC) AS newest
  FROM lots
  WHERE expiry LIKE '____-__-__'
),
told AS (
  SELECT item, 'lot' AS what, lot AS value, event_at, content_id FROM first_lives WHERE lot IS NOT NULL
  UNION ALL
  SELECT item, 'lot' AS what, other_lot AS value, event_at, content_id FROM first_lives
  WHERE other_lot IS NOT NULL
  UNION ALL
  SELECT item, 'expiry' AS what, expiry AS value, event_at, content_id FROM first_lives
  WHERE expiry IS NOT NULL AND NOT ends_with(expiry, '-00')
  UNION ALL
  SELECT s.item AS item, 'expiry' AS what, d.expiry AS value, f.event_at AS event_at, d.content_id AS content_id
  FROM single AS s
    JOIN described AS d ON d.class = s.class AND d.lot = s.lot
    JOIN first_lives AS f ON f.item = s.item
  WHERE d.newest = 1 AND f.expiry IS NOT NULL
),
incidents AS (
  SELECT item, what, min(event_at) AS since, max(event_at) AS period_end, min(value) AS low, max(value) AS high,
    array_agg(DISTINCT content_id ORDER BY content_id) AS evidence
  FROM told
  GROUP BY item, what
  HAVING min(value) < max(value)
)
SELECT item AS subject, what AS anchor, since AS period_start, period_end, evidence,
  cardinality(evidence) AS evidence_count, low || ', ' || high AS told,
  CASE what WHEN 'lot' THEN 'lot' ELSE 'last day' END AS what_en,
  CASE what WHEN 'lot' THEN '批号' ELSE '有效期' END AS what_zh
FROM incidents
ORDER BY subject, anchor
