-- code     = "TRC-014"
-- title    = "Goods were sold where their lot may not be sold"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4", "ISO 22095:2020"]
-- innocent = ["the place lies in a market of the lot", "the lot may be sold anywhere", "another description of the lot names the market", "it passes through on its way", "it is unknown where the place lies", "records differ in the lot", "one of the events was declared to be in error"]
-- answer   = "Say who sold it there and on what authority, or correct the markets of the lot or the region of the place."
-- expires  = "730d"
-- message_en = "{subject} of lot {lot} was offered or sold in {region} on {sold}; the lot is for {markets}"
-- message_zh = "{subject}（批次 {lot}）于 {sold} 在 {region} 上架或销售；该批次仅限 {markets}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.biz_step, '') AS biz_step,
    coalesce(e.disposition, '') AS disposition, coalesce(e.read_point, e.biz_location) AS place
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, i.lot AS lot, i.other_lot AS other_lot, l.event_id AS event_id, l.event_at AS event_at,
    l.content_id AS content_id, l.place AS place,
    -- Steps at which goods stand before a buyer; stores and carriers pass them on.
    (l.biz_step IN ('retail_selling', 'dispensing')
      OR (l.biz_step = 'stocking' AND l.disposition = 'sellable_accessible')) AS is_sale
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE 0 < strpos(i.item, '/21/') OR 0 < strpos(i.item, '/10/')
),
lots_of AS (
  SELECT item, split_part(split_part(item, '/21/', 1), '/10/', 1) AS class, min(lot) AS lot,
    first_value(content_id ORDER BY event_at, content_id) AS lot_id
  FROM seen
  WHERE lot IS NOT NULL
  GROUP BY item
  HAVING min(lot) = max(lot) AND count(other_lot) = 0
),
-- Every description of a lot counts: sold elsewhere is what none of them allows.
allowed AS (
  SELECT item AS class, lot, min(cardinality(coalesce(markets, make_array()))) AS fewest,
    min(content_id) AS described
  FROM lots
  GROUP BY item, lot
),
markets AS (
  SELECT DISTINCT class, lot, market
  FROM (SELECT item AS class, lot, unnest(markets) AS market FROM lots WHERE 0 < cardinality(markets)) AS each
),
listed AS (
  SELECT class, lot, string_agg(market, ', ' ORDER BY market) AS markets FROM markets GROUP BY class, lot
),
-- Where a place lies is known when all who say so agree in the country.
regions AS (
  SELECT location AS place, min(region) AS region, min(content_id) AS placed
  FROM locations
  WHERE region IS NOT NULL
  GROUP BY location
  HAVING min(split_part(region, '-', 1)) = max(split_part(region, '-', 1))
),
sales AS (
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    r.region AS region, r.placed AS placed, o.class AS class, o.lot AS lot, o.lot_id AS lot_id,
    a.described AS described
  FROM seen AS s
    JOIN lots_of AS o ON o.item = s.item
    JOIN allowed AS a ON a.class = o.class AND a.lot = o.lot
    JOIN regions AS r ON r.place = s.place
  WHERE s.is_sale AND 0 < a.fewest
),
diverted AS (
  SELECT s.item AS item, s.event_id AS event_id, s.event_at AS event_at, s.content_id AS content_id,
    s.region AS region, s.placed AS placed, s.class AS class, s.lot AS lot, s.lot_id AS lot_id,
    s.described AS described
  FROM sales AS s
  WHERE NOT EXISTS (
      SELECT 1 FROM markets AS m WHERE m.class = s.class AND m.lot = s.lot
        -- A market may be a country or a part of one; of a place only the country may be known.
        AND (m.market = split_part(s.region, '-', 1) OR m.market = s.region
          OR (0 = strpos(s.region, '-') AND split_part(m.market, '-', 1) = s.region)))
),
incidents AS (
  SELECT item, class, lot, min(event_at) AS sold, max(event_at) AS period_end,
    count(DISTINCT event_id) AS sales, first_value(region ORDER BY event_at, event_id, content_id) AS region,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT placed ORDER BY placed), array_agg(DISTINCT described ORDER BY described),
      array_agg(DISTINCT lot_id ORDER BY lot_id))) AS evidence
  FROM diverted
  GROUP BY item, class, lot
)
SELECT i.item AS subject, i.sold AS anchor, i.sold AS period_start, i.period_end AS period_end,
  i.evidence AS evidence, cardinality(i.evidence) AS evidence_count, i.lot AS lot, i.region AS region,
  i.sold AS sold, i.sales AS sales, l.markets AS markets
FROM incidents AS i JOIN listed AS l ON l.class = i.class AND l.lot = i.lot
ORDER BY subject, anchor
