-- code     = "TRC-010"
-- title    = "More of a lot left a place than was made and received there"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["ISO 22095:2020, 5.4", "GS1 EPCIS 2.0, 7.4"]
-- innocent = ["what was made or received covers what left", "the lot was not made at that place", "production is posted after the goods have left", "amounts are in different units or not stated", "the shipment was called off", "the log of whoever made the lot is not held whole", "one of the events was declared to be in error"]
-- answer   = "Record the production or the receipt that is missing, or declare the wrong event to be in error."
-- expires  = "1095d"
-- message_en = "{subject} sent away {out} {unit} of {item} and has made and received {come}"
-- message_zh = "{subject} 发出 {item} {out} {unit}，而登记生产与收货共 {come}"
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
    coalesce(e.biz_step, '') AS biz_step, e.read_point AS read_point, e.biz_location AS biz_location,
    row_number() OVER (PARTITION BY e.event_id, coalesce(e.issuer, '') ORDER BY e.event_at, e.content_id) AS copy
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
-- An event is at the place where it was read and at the one where the goods are after it.
placed AS (
  SELECT event_id, event_at, content_id, log, issuer, type, action, biz_step, read_point AS place
  FROM live WHERE copy = 1 AND read_point IS NOT NULL
  UNION
  SELECT event_id, event_at, content_id, log, issuer, type, action, biz_step, biz_location AS place
  FROM live WHERE copy = 1 AND biz_location IS NOT NULL AND biz_step <> 'shipping'
),
amounts AS (
  SELECT p.place AS place, i.item AS item, coalesce(i.uom, 'items') AS unit, p.event_at AS event_at,
    p.content_id AS content_id, p.log AS log, p.issuer AS issuer,
    base_amount('goods', i.quantity, coalesce(i.scale_e10, 0) + 3, coalesce(i.uom, 'items')) AS thousandths,
    CASE WHEN i.role = 'output' OR (i.role = 'epc' AND p.action = 'ADD') THEN 'made'
      WHEN i.role = 'input' OR p.biz_step IN ('shipping', 'retail_selling', 'dispensing') OR p.action = 'DELETE' THEN 'out'
      WHEN p.biz_step IN ('receiving', 'accepting', 'void_shipping') THEN 'received' END AS way
  FROM event_items AS i
    JOIN placed AS p ON p.event_id = i.event_id AND coalesce(i.issuer, p.issuer) = p.issuer
  WHERE i.role IN ('epc', 'input', 'output') AND p.type IN ('ObjectEvent', 'TransformationEvent')
    AND 0 < strpos(i.item, '/10/')
),
moves AS (
  SELECT place, item, unit, event_at, content_id, log, issuer, way,
    CASE WHEN 0 <= thousandths AND thousandths <= $thousandths_max
      THEN CAST(thousandths AS DECIMAL(38, 0)) END AS thousandths
  FROM amounts
  WHERE way IS NOT NULL
),
makers AS (
  SELECT m.place AS place, m.item AS item, min(m.issuer) AS maker
  FROM moves AS m JOIN whole AS w ON w.covered_log = m.log
  WHERE m.way = 'made'
  GROUP BY m.place, m.item
  HAVING min(m.issuer) = max(m.issuer)
),
sums AS (
  SELECT m.place AS place, m.item AS item, min(m.unit) AS unit,
    sum(CASE WHEN m.way = 'out' THEN m.thousandths END) AS gone,
    sum(CASE WHEN m.way <> 'out' THEN m.thousandths END) AS come,
    bool_or(m.way = 'received' OR m.issuer <> k.maker) AS is_mixed,
    min(m.event_at) AS begun, max(m.event_at) AS ended,
    array_agg(DISTINCT m.content_id ORDER BY m.content_id) AS evidence
  FROM moves AS m JOIN makers AS k ON k.place = m.place AND k.item = m.item
  GROUP BY m.place, m.item
  HAVING min(m.unit) = max(m.unit) AND bool_and(m.thousandths IS NOT NULL)
    -- Not of a log that is known up to some earlier time only.
    AND min(m.log) = max(m.log) AND bool_or(m.way = 'made')
)
-- Where goods were received too, a receipt that nobody recorded would explain it: a note.
SELECT place AS subject, item AS anchor, begun AS period_start, ended AS period_end, evidence,
  cardinality(evidence) AS evidence_count, CASE WHEN is_mixed THEN 'note' ELSE 'warning' END AS severity,
  item, unit, CAST(CAST(gone / 1000 AS DECIMAL(38, 0)) AS VARCHAR) AS out,
  CAST(CAST(come / 1000 AS DECIMAL(38, 0)) AS VARCHAR) AS come
FROM sums
WHERE come * (1000000 + $stock_ppm) < gone * 1000000
  AND unix_ms(ended) + $posting_days * 86400000 < $as_of_ms
ORDER BY subject, anchor
