-- code     = "TRC-027"
-- title    = "Goods are offered that were never made"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 General Specifications, 3.5.2", "ISO 22095:2020, 5.4"]
-- innocent = ["the number is one of a label order", "its making is on record", "the lot is one that was made or described", "a label order of the goods names no lot", "it was offered before the first label order", "the log of whoever labels the goods is not held whole", "members differ in who labels the goods", "the serials come from a secret key", "the offer names a class of goods, not one of them"]
-- answer   = "Publish the label order or the record of its making, or end the offer."
-- expires  = "730d"
-- message_en = "{subject} is offered at {platform} since {offered}, but {owner} {reason_en}"
-- message_zh = "{subject} 自 {offered} 起在 {platform} 出售，但 {owner} {reason_zh}"
WITH whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE covered_issuer IS NULL AND coalesce(kind, 'label') = 'label'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
-- Filled with zeros in front, numbers sort as text.
ranges AS (
  SELECT class, lot, content_id, coalesce(issuer, '') AS issuer, log, scheme,
    coalesce(from_lo, asserted_at, at) AS ordered_at,
    split_part($serial_zeros, '|', length(first) + 1) || first AS first_key,
    split_part($serial_zeros, '|', length(last) + 1) || last AS last_key
  FROM labels
),
owners AS (
  SELECT r.class AS class, min(r.issuer) AS owner, min(r.ordered_at) AS since, min(w.to_at) AS known_to,
    bool_and(coalesce(r.scheme, '') = 'sequence') AS is_sequence, bool_and(r.lot IS NOT NULL) AS names_lots,
    array_agg(DISTINCT r.content_id ORDER BY r.content_id) AS orders
  FROM ranges AS r LEFT JOIN whole AS w ON w.covered_log = r.log
  GROUP BY r.class
  HAVING min(r.issuer) = max(r.issuer) AND bool_and(w.covered_log IS NOT NULL)
),
withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
born AS (
  SELECT DISTINCT i.item AS item
  FROM event_items AS i
    JOIN events AS e ON e.event_id = i.event_id AND coalesce(i.issuer, e.issuer, '') = coalesce(e.issuer, '')
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
    AND (i.role = 'output' OR (i.role = 'epc' AND e.type = 'ObjectEvent' AND coalesce(e.action, '') = 'ADD'))
  UNION
  SELECT item FROM items
),
offered AS (
  SELECT o.item AS item, o.lot AS lot, split_part(o.item, '/21/', 1) AS class, split_part(o.item, '/21/', 2) AS serial,
    min(o.at) AS offered, max(coalesce(o.to_at, o.at)) AS ended, min(o.platform) AS platform, min(o.seller) AS seller,
    count(DISTINCT o.offer) AS offers, array_agg(DISTINCT o.content_id ORDER BY o.content_id) AS seen
  FROM offers AS o
  WHERE o.at IS NOT NULL
  GROUP BY o.item, o.lot
),
strange AS (
  SELECT f.item AS item, f.lot AS lot, f.class AS class, f.serial AS serial, f.offered AS offered, f.ended AS ended,
    f.platform AS platform, f.seller AS seller, f.offers AS offers, w.owner AS owner, w.is_sequence AS is_sequence,
    w.names_lots AS names_lots, array_concat(f.seen, w.orders) AS evidence
  FROM offered AS f
    JOIN owners AS w ON w.class = f.class
    LEFT JOIN born AS b ON b.item = f.item
  WHERE w.since <= f.offered AND f.offered <= w.known_to AND (f.lot IS NOT NULL OR b.item IS NULL)
),
keyed AS (
  SELECT item, class, split_part($serial_zeros, '|', length(serial) + 1) || serial AS key
  FROM strange
  WHERE serial <> '' AND is_sequence
),
swept AS (
  SELECT item, key, max(last_key) OVER (PARTITION BY class ORDER BY key) AS reached
  FROM (
    SELECT item, class, key, NULL AS last_key FROM keyed
    UNION ALL
    SELECT NULL AS item, class, first_key AS key, last_key FROM ranges WHERE coalesce(scheme, '') = 'sequence'
  ) AS both_sides
),
outside AS (
  SELECT DISTINCT item FROM swept WHERE item IS NOT NULL AND (reached IS NULL OR reached < key)
),
-- Lots that some label order or description names.
known_lots AS (
  SELECT class, lot FROM ranges WHERE lot IS NOT NULL
  UNION
  SELECT item AS class, lot FROM lots
),
judged AS (
  SELECT s.item AS subject, '' AS lot, s.offered AS offered, s.ended AS ended, s.platform AS platform, s.seller AS seller,
    s.offers AS offers, s.owner AS owner, s.evidence AS evidence, 'has its number in none of its label orders' AS reason_en,
    '的标签订单中均无此号' AS reason_zh
  FROM strange AS s JOIN outside AS o ON o.item = s.item
  UNION ALL
  SELECT s.item AS subject, s.lot AS lot, s.offered AS offered, s.ended AS ended, s.platform AS platform, s.seller AS seller,
    s.offers AS offers, s.owner AS owner, s.evidence AS evidence,
    'has lot ' || s.lot || ' of it in none of its label orders' AS reason_en,
    '的标签订单中均无批次 ' || s.lot AS reason_zh
  FROM strange AS s LEFT JOIN known_lots AS k ON k.class = s.class AND k.lot = s.lot
  WHERE s.lot IS NOT NULL AND s.names_lots AND k.lot IS NULL
)
SELECT subject, 'lot ' || lot AS anchor, offered AS period_start, ended AS period_end, evidence,
  cardinality(evidence) AS evidence_count, nullif(owner, '') AS owner, platform, seller, offers, offered, reason_en, reason_zh
FROM judged
ORDER BY subject, anchor
