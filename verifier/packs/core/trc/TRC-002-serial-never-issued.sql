-- code     = "TRC-002"
-- title    = "A serial was seen that whoever labels the goods never issued"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 General Specifications, 3.5.2", "GS1 EPCIS 2.0, 7.4"]
-- innocent = ["the number is one of a label order", "it was made under a label order of the brand owner", "the brand owner recorded its birth", "it was seen before the first label order", "the log of whoever labels the goods is not held whole", "members differ in who labels the goods", "the serials come from a secret key", "one of the events was declared to be in error"]
-- answer   = "Publish the label order that the serial belongs to, cite it in the event of its birth, or say that the number was never issued."
-- expires  = "730d"
-- message_en = "{subject} was seen on {seen}, but {owner} {reason_en}"
-- message_zh = "{subject} 于 {seen} 出现，但 {owner} {reason_zh}"
WITH whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE covered_issuer IS NULL AND coalesce(kind, 'label') = 'label'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
-- Filled with zeros in front, numbers sort as text.
ranges AS (
  SELECT class, content_id, coalesce(issuer, '') AS issuer, log, scheme, state,
    coalesce(from_lo, asserted_at, at) AS ordered_at,
    split_part($serial_zeros, '|', length(first) + 1) || first AS first_key,
    split_part($serial_zeros, '|', length(last) + 1) || last AS last_key
  FROM labels
),
owners AS (
  SELECT r.class AS class, min(r.issuer) AS owner, min(r.ordered_at) AS since,
    max(w.to_at) AS known_to, bool_and(coalesce(r.scheme, '') = 'sequence') AS is_sequence,
    max(r.last_key) AS highest, array_agg(DISTINCT r.content_id ORDER BY r.content_id) AS orders
  FROM ranges AS r LEFT JOIN whole AS w ON w.covered_log = r.log
  GROUP BY r.class
  HAVING min(r.issuer) = max(r.issuer) AND bool_and(w.covered_log IS NOT NULL)
),
withdrawn AS (
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
  SELECT i.item AS item, split_part(i.item, '/21/', 1) AS class, split_part(i.item, '/21/', 2) AS serial,
    l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id, l.issuer AS issuer,
    (i.role = 'output' OR (i.role = 'epc' AND l.type = 'ObjectEvent' AND l.action = 'ADD')) AS is_birth
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE 0 < strpos(i.item, '/21/')
),
-- A label order is cited by the event of a birth or by the description of the item.
cited AS (
  SELECT event_id, ref AS name FROM event_links
  UNION
  SELECT event_id, split_part(ref, '/', -1) AS name FROM event_links
  UNION
  SELECT event_id, split_part(ref, ':', -1) AS name FROM event_links
),
vouched AS (
  SELECT s.item AS item
  FROM seen AS s JOIN owners AS o ON o.class = s.class
  WHERE s.is_birth AND s.issuer = o.owner
  UNION
  SELECT s.item AS item
  FROM seen AS s
    JOIN cited AS c ON c.event_id = s.event_id
    JOIN labels AS l ON l.class = s.class AND l."order" = c.name
  WHERE s.is_birth
  UNION
  SELECT d.item AS item
  FROM items AS d JOIN labels AS l ON l."order" = d.label_order
  WHERE l.class = split_part(d.item, '/21/', 1) AND coalesce(d.issuer, '') = coalesce(l.issuer, '')
),
strange AS (
  SELECT s.item AS item, min(s.class) AS class, min(s.serial) AS serial, min(s.event_at) AS seen,
    max(s.event_at) AS last_seen, count(DISTINCT s.event_id) AS sightings,
    bool_or(s.is_birth AND s.issuer <> o.owner) AS is_born_elsewhere,
    array_agg(DISTINCT s.content_id ORDER BY s.content_id) AS sighted, min(o.owner) AS owner,
    bool_and(o.is_sequence) AS is_sequence, min(o.highest) AS highest
  FROM seen AS s
    JOIN owners AS o ON o.class = s.class
    LEFT JOIN vouched AS v ON v.item = s.item
  WHERE v.item IS NULL AND s.event_at <= o.known_to
  GROUP BY s.item
  HAVING min(o.since) <= min(s.event_at)
),
keyed AS (
  SELECT item, class, serial AS number, split_part($serial_zeros, '|', length(serial) + 1) || serial AS key
  FROM strange
),
swept AS (
  SELECT item, key, number,
    max(last_key) OVER (PARTITION BY class ORDER BY key) AS reached
  FROM (
    SELECT item, class, key, number, NULL AS last_key FROM keyed
    UNION ALL
    SELECT NULL AS item, class, first_key AS key, NULL AS number, last_key FROM ranges
    WHERE coalesce(scheme, '') = 'sequence'
  ) AS both_sides
),
outside AS (
  SELECT item, key, (upper(number) = lower(number) AND '0' <= number AND number < ':') AS is_number
  FROM swept
  WHERE item IS NOT NULL AND (reached IS NULL OR reached < key)
),
judged AS (
  SELECT s.item AS item, s.seen AS seen, s.last_seen AS last_seen, s.sightings AS sightings,
    s.owner AS owner, s.is_sequence AS is_sequence,
    -- Old stock may carry an older numbering: what nobody can have inherited is a number still to come.
    s.is_sequence AND (s.is_born_elsewhere OR (o.is_number AND s.highest < o.key)) AS is_sure,
    array_concat(s.sighted, w.orders) AS evidence
  FROM strange AS s
    JOIN outside AS o ON o.item = s.item
    -- Label orders are many: they are joined once it is known for which items.
    JOIN owners AS w ON w.class = s.class
  WHERE s.is_sequence OR s.is_born_elsewhere
)
SELECT item AS subject, seen AS anchor, seen AS period_start, last_seen AS period_end, evidence,
  cardinality(evidence) AS evidence_count,
  CASE WHEN is_sure THEN 'warning' ELSE 'note' END AS severity, sightings, seen,
  nullif(owner, '') AS owner,
  CASE WHEN is_sequence THEN 'has it in none of its label orders'
    ELSE 'recorded no birth of it, and whoever did cites no label order' END AS reason_en,
  CASE WHEN is_sequence THEN '的标签订单中均无此号' ELSE '未登记其生产，登记者亦未引用标签订单' END AS reason_zh
FROM judged
ORDER BY subject, anchor
