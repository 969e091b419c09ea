-- code     = "TRC-013"
-- title    = "Goods were handed on by a party that had not received them"
-- status   = "stable"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "item"
-- basis    = ["GS1 CBV 2.0, 7.4"]
-- innocent = ["the receiver handed them on", "two identifiers name one organisation", "a carrier holds them on the way", "an event between the two names a party that is not told", "the clocks of two places differ", "one of the events was declared to be in error", "it is a class or lot, not one item"]
-- answer   = "Record the transfer that is missing, or declare the wrong event to be in error."
-- expires  = "365d"
-- message_en = "{subject} went to {holder} on {received}, but {giver} handed it on on {given}"
-- message_zh = "{subject} 于 {received} 交给 {holder}，却在 {given} 由 {giver} 交出"
WITH addresses AS (
  SELECT party AS address, organisation FROM parties WHERE organisation IS NOT NULL
  UNION
  SELECT location AS address, party AS organisation FROM locations WHERE party IS NOT NULL
),
known AS (
  SELECT address, min(organisation) AS organisation FROM addresses
  GROUP BY address HAVING min(organisation) = max(organisation)
),
withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
-- Owners: that goods are in the hands of a carrier says nothing of whose they are.
sides AS (
  SELECT p.event_id AS event_id, coalesce(p.issuer, '') AS issuer, p.type AS type,
    min(CASE WHEN p.side = 'source' THEN coalesce(k.organisation, p.party) END) AS giver,
    min(CASE WHEN p.side = 'destination' THEN coalesce(k.organisation, p.party) END) AS taker,
    max(CASE WHEN p.side = 'source' THEN coalesce(k.organisation, p.party) END) AS other_giver,
    max(CASE WHEN p.side = 'destination' THEN coalesce(k.organisation, p.party) END) AS other_taker
  FROM event_parties AS p LEFT JOIN known AS k ON k.address = p.party
  WHERE p.type = 'owning'
  GROUP BY p.event_id, coalesce(p.issuer, ''), p.type
),
steps AS (
  SELECT i.item AS item, l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id,
    CASE WHEN s.giver = s.other_giver THEN s.giver END AS giver,
    CASE WHEN s.taker = s.other_taker THEN s.taker END AS taker,
    l.issuer AS issuer
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
    JOIN sides AS s ON s.event_id = l.event_id AND (s.issuer = l.issuer OR s.issuer = '')
  WHERE i.quantity IS NULL AND i.role IN ('epc', 'parent')
    AND (0 < strpos(i.item, '/21/') OR starts_with(i.item, 'https://id.gs1.org/00/'))
),
pairs AS (
  SELECT item, event_id, event_at, content_id, giver, taker,
    lag(taker) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS holder,
    lag(giver) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS giver_before,
    lag(event_at) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS at_before,
    lag(content_id) OVER (PARTITION BY item ORDER BY event_at, event_id, content_id) AS id_before
  FROM steps
),
breaks AS (
  SELECT item, event_at, event_id, content_id, giver, holder, at_before, id_before
  FROM pairs
  -- Giver and taker both tell one transfer: the same giver again is the same transfer.
  WHERE giver <> holder AND giver <> coalesce(giver_before, '')
    AND unix_ms(at_before) + $birth_clock_ms < unix_ms(event_at)
),
incidents AS (
  SELECT item, min(event_at) AS given, max(event_at) AS period_end,
    first_value(at_before ORDER BY event_at, event_id, content_id) AS received,
    first_value(giver ORDER BY event_at, event_id, content_id) AS giver,
    first_value(holder ORDER BY event_at, event_id, content_id) AS holder,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT id_before ORDER BY id_before))) AS evidence
  FROM breaks
  GROUP BY item
)
SELECT item AS subject, given AS anchor, received AS period_start, period_end, evidence,
  cardinality(evidence) AS evidence_count, giver, holder, given, received
FROM incidents
ORDER BY subject, anchor
