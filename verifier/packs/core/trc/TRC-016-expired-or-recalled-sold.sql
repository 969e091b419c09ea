-- code     = "TRC-016"
-- title    = "Goods past their date or under recall were sold or sent on"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "item"
-- basis    = ["GS1 General Specifications, 3.4", "Regulation (EC) No 178/2002, articles 14 and 19"]
-- innocent = ["they go back or are set apart", "the recall had not reached the shop", "the recall was lifted", "it was still the last day somewhere", "descriptions differ in the date", "another lot is recalled", "one of the events was declared to be in error"]
-- answer   = "Say what was done with the goods, correct the date of the lot, or declare the event to be in error."
-- expires  = "730d"
-- message_en = "{subject} was {moved_en} on {moved}, {why_en} {since}"
-- message_zh = "{subject} 于 {moved} {moved_zh}，{why_zh} {since}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.biz_step, '') AS biz_step,
    coalesce(e.disposition, '') AS disposition
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
back AS (
  SELECT DISTINCT event_id FROM event_links WHERE kind = 'rma'
),
seen AS (
  SELECT i.item AS item, split_part(split_part(i.item, '/21/', 1), '/10/', 1) AS class, i.lot AS lot,
    i.other_lot AS other_lot, i.expiry AS expiry, l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id,
    l.biz_step AS biz_step,
    l.biz_step IN ('retail_selling', 'dispensing', 'shipping') AND b.event_id IS NULL
      -- Goods that are sent back or set apart say so.
      AND l.disposition NOT IN ('damaged', 'destroyed', 'disposed', 'expired', 'inactive',
        'non_conformant', 'non_sellable_other', 'recalled', 'returned', 'unavailable') AS is_trade
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
    LEFT JOIN back AS b ON b.event_id = l.event_id
  WHERE starts_with(i.item, 'https://id.gs1.org/01/')
),
-- The lot and the latest date that anybody states of the item.
known AS (
  SELECT item, class,
    CASE WHEN min(lot) = max(lot) AND count(other_lot) = 0 THEN min(lot) END AS lot,
    max(substr_expiry) AS stated
  FROM (SELECT item, class, lot, other_lot,
      CASE WHEN expiry LIKE '____-__-__%' THEN split_part(split_part(expiry, 'T', 1), ' ', 1) END AS substr_expiry
    FROM seen) AS each
  GROUP BY item, class
),
described AS (
  SELECT item AS class, lot, max(expiry) AS expiry, min(content_id) AS lot_id
  FROM lots
  WHERE expiry LIKE '____-__-__'
  GROUP BY item, lot
),
dated AS (
  SELECT k.item AS item, k.class AS class, k.lot AS lot, d.lot_id AS lot_id,
    greatest(coalesce(k.stated, ''), coalesce(d.expiry, '')) AS last_day
  FROM known AS k LEFT JOIN described AS d ON d.class = k.class AND d.lot = k.lot
),
-- Every lot that anybody states: where they differ, the recall of each is told.
lots_of AS (
  SELECT item, class, lot FROM seen WHERE lot IS NOT NULL
  UNION
  SELECT item, class, other_lot AS lot FROM seen WHERE other_lot IS NOT NULL
),
called AS (
  SELECT k.item AS item, r.content_id AS recall_id, r.lifted_at AS lifted_at,
    greatest(r.at, coalesce(r.from_hi, r.asserted_at, r.at)) AS since, true AS is_sure
  FROM known AS k JOIN recalls AS r ON r.item = k.class
  WHERE r.lot IS NULL
  UNION
  SELECT l.item AS item, r.content_id AS recall_id, r.lifted_at AS lifted_at,
    greatest(r.at, coalesce(r.from_hi, r.asserted_at, r.at)) AS since, k.lot IS NOT NULL AS is_sure
  FROM lots_of AS l
    JOIN recalls AS r ON r.item = l.class AND r.lot = l.lot
    JOIN known AS k ON k.item = l.item
  UNION
  SELECT k.item AS item, r.content_id AS recall_id, r.lifted_at AS lifted_at,
    greatest(r.at, coalesce(r.from_hi, r.asserted_at, r.at)) AS since, true AS is_sure
  FROM known AS k JOIN recalls AS r ON r.item = k.item
  WHERE r.lot IS NULL
),
faults AS (
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    s.biz_step AS biz_step, 'recall' AS cause, c.recall_id AS cause_id, CAST(c.since AS VARCHAR) AS since, c.is_sure AS is_sure
  FROM seen AS s JOIN called AS c ON c.item = s.item
  WHERE s.is_trade AND unix_ms(c.since) + $recall_notice_ms < unix_ms(s.event_at)
    AND (c.lifted_at IS NULL OR s.event_at < c.lifted_at)
  UNION
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    s.biz_step AS biz_step, 'date' AS cause, coalesce(d.lot_id, s.content_id) AS cause_id, d.last_day AS since, true AS is_sure
  FROM seen AS s JOIN dated AS d ON d.item = s.item
  WHERE s.is_trade AND d.last_day <> '' AND NOT ends_with(d.last_day, '-00')
    AND d.last_day < split_part(split_part(CAST(from_unix_ms(unix_ms(s.event_at) - $west_ms) AS VARCHAR), 'T', 1), ' ', 1)
),
incidents AS (
  SELECT item, cause, min(event_at) AS moved, max(event_at) AS period_end, min(since) AS since,
    bool_or(biz_step <> 'shipping') AS is_sold, bool_or(biz_step <> 'shipping' AND is_sure) AS is_plain, count(DISTINCT event_id) AS moves,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT cause_id ORDER BY cause_id))) AS evidence
  FROM faults
  GROUP BY item, cause
)
-- What is shipped may be on its way back without a word of it, and where records differ in the lot it
-- may be of the other one: only a sale of what is surely recalled or past its day is a warning.
SELECT item AS subject, cause AS anchor, moved AS period_start, period_end, evidence,
  cardinality(evidence) AS evidence_count, CASE WHEN is_plain THEN 'warning' ELSE 'note' END AS severity,
  moved, moves, since,
  CASE WHEN is_sold THEN 'sold' ELSE 'sent on' END AS moved_en, CASE WHEN is_sold THEN '被销售' ELSE '被发出' END AS moved_zh,
  CASE cause WHEN 'recall' THEN 'while under recall since' ELSE 'after its last day,' END AS why_en,
  CASE cause WHEN 'recall' THEN '当时已召回，始于' ELSE '已过有效期' END AS why_zh
FROM incidents
ORDER BY subject, anchor
