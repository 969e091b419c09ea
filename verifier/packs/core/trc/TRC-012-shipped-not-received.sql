-- code     = "TRC-012"
-- title    = "Goods were shipped to a member who has no record of them"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "item"
-- basis    = ["GS1 CBV 2.0, 7.1"]
-- innocent = ["the receiver has a record of them", "they are still on their way", "the receiver's log is not held whole", "the receiver is no member of the network", "they travel inside a unit that the receiver records", "the shipment was called off", "one of the events was declared to be in error"]
-- answer   = "Record the receipt, or say that the goods never came."
-- expires  = "365d"
-- message_en = "{subject} was shipped to {receiver} on {shipped}, whose log has no event of it up to {known_to}"
-- message_zh = "{subject} 于 {shipped} 发往 {receiver}，其日志至 {known_to} 止无该产品事件"
WITH whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE covered_issuer IS NULL AND coalesce(kind, 'event') = 'event'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
-- Members whose whole word is at hand.
members AS (
  SELECT o.organisation AS organisation, min(w.to_at) AS known_to
  FROM organisations AS o JOIN whole AS w ON w.covered_log = o.log_origin
  GROUP BY o.organisation
),
addresses AS (
  SELECT party AS address, organisation FROM parties WHERE organisation IS NOT NULL
  UNION
  SELECT location AS address, party AS organisation FROM locations WHERE party IS NOT NULL
  UNION
  SELECT organisation AS address, organisation FROM organisations
),
-- An address that two members claim is nobody's.
known AS (
  SELECT address, min(organisation) AS organisation FROM addresses
  GROUP BY address HAVING min(organisation) = max(organisation)
),
withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.action, '') AS action, coalesce(e.biz_step, '') AS biz_step
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, i.role AS role, l.event_id AS event_id, l.event_at AS event_at,
    l.content_id AS content_id, l.issuer AS issuer, l.action AS action, l.biz_step AS biz_step
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE i.quantity IS NULL
    AND (0 < strpos(i.item, '/21/') OR starts_with(i.item, 'https://id.gs1.org/00/'))
),
sent AS (
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    k.organisation AS receiver, m.known_to AS known_to
  FROM seen AS s
    JOIN event_parties AS p ON p.event_id = s.event_id AND coalesce(p.issuer, s.issuer) = s.issuer
    JOIN known AS k ON k.address = p.party
    JOIN members AS m ON m.organisation = k.organisation
  WHERE s.biz_step = 'shipping' AND s.role = 'epc' AND p.side = 'destination'
    AND k.organisation <> s.issuer
),
open AS (
  SELECT t.item AS item, t.event_id AS event_id, t.receiver AS receiver, min(t.event_at) AS shipped,
    min(t.content_id) AS content_id, min(t.known_to) AS known_to
  FROM sent AS t
  WHERE unix_ms(t.event_at) + $receipt_days * 86400000 < least($as_of_ms, unix_ms(t.known_to))
    AND NOT EXISTS (
      SELECT 1 FROM seen AS s WHERE s.item = t.item AND s.issuer = t.receiver)
    AND NOT EXISTS (
      SELECT 1 FROM seen AS v
      WHERE v.item = t.item AND v.biz_step = 'void_shipping' AND t.event_at <= v.event_at)
    -- Of what is packed the receiver may record the unit alone.
    AND NOT EXISTS (
      SELECT 1 FROM seen AS c WHERE c.item = t.item AND c.role = 'child')
  GROUP BY t.item, t.event_id, t.receiver
),
incidents AS (
  SELECT item, receiver, min(shipped) AS shipped, max(shipped) AS last_shipped, min(known_to) AS known_to,
    array_agg(DISTINCT content_id ORDER BY content_id) AS evidence
  FROM open
  GROUP BY item, receiver
)
SELECT item AS subject, receiver AS anchor, shipped AS period_start, last_shipped AS period_end, evidence,
  cardinality(evidence) AS evidence_count, receiver, shipped, known_to
FROM incidents
ORDER BY subject, anchor
