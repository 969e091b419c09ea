-- code     = "TRC-005"
-- title    = "One serial seen at two places too soon"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4", "ISO 22095:2020"]
-- innocent = ["an aircraft can cover the distance in the time", "one of the events was declared to be in error", "it is a class or lot, not one item", "the position of a place is not known well enough", "the clocks of two neighbouring places differ"]
-- answer   = "Declare the wrong event to be in error, correct the position of a place, or say which of the items is genuine."
-- expires  = "730d"
-- message_en = "{subject} was at {place_before} on {seen_before} and at {place} on {seen}, {distance_km} km away; such jumps in all: {jumps}"
-- message_zh = "{subject} 于 {seen_before} 在 {place_before}，于 {seen} 在 {place}，相距 {distance_km} 公里；此类跳变共 {jumps} 次"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
-- The newest word on where a place is.
ranked AS (
  SELECT location, lat_e7, lon_e7, coalesce(precision_m, $travel_precision_m) AS precision_m,
    row_number() OVER (PARTITION BY location ORDER BY asserted_at DESC NULLS LAST, content_id DESC) AS rank
  FROM locations
  WHERE lat_e7 IS NOT NULL AND lon_e7 IS NOT NULL
),
placed AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.read_point, e.biz_location) AS place
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
seen AS (
  SELECT i.item AS item, p.event_at AS event_at, p.content_id AS content_id, p.place AS place,
    r.lat_e7 AS lat_e7, r.lon_e7 AS lon_e7, r.precision_m AS precision_m
  FROM event_items AS i
    JOIN placed AS p ON p.event_id = i.event_id
    JOIN ranked AS r ON r.location = p.place
  WHERE r.rank = 1
    AND (0 < strpos(i.item, '/21/')
      OR (i.quantity IS NULL AND NOT starts_with(i.item, 'https://id.gs1.org/01/')))
),
steps AS (
  SELECT item, event_at, content_id, place, lat_e7, lon_e7, precision_m,
    lag(event_at) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS at_before,
    lag(content_id) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS id_before,
    lag(place) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS place_before,
    lag(lat_e7) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS lat_before,
    lag(lon_e7) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS lon_before,
    lag(precision_m) OVER (PARTITION BY item ORDER BY event_at, content_id, place) AS precision_before
  FROM seen
),
moves AS (
  SELECT item, event_at, at_before, content_id, id_before, place, place_before,
    distance_m(lat_before, lon_before, lat_e7, lon_e7) AS distance,
    distance_m(lat_before, lon_before, lat_e7, lon_e7) - precision_m - precision_before AS least,
    (unix_ms(event_at) - unix_ms(at_before) + $travel_clock_ms) / 1000 AS seconds
  FROM steps
  WHERE at_before IS NOT NULL AND place <> place_before
),
jumps AS (
  SELECT item, event_at, at_before, content_id, id_before, place, place_before, distance
  FROM moves
  WHERE $travel_m_per_h * seconds / 3600 < least
),
incidents AS (
  SELECT item, count(*) AS jumps, min(event_at) AS seen, max(event_at) AS period_end,
    first_value(at_before ORDER BY event_at, content_id, place) AS seen_before,
    first_value(place ORDER BY event_at, content_id, place) AS place,
    first_value(place_before ORDER BY event_at, content_id, place) AS place_before,
    first_value(distance ORDER BY event_at, content_id, place) / 1000 AS distance_km,
    array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id),
      array_agg(DISTINCT id_before ORDER BY id_before))) AS evidence
  FROM jumps
  GROUP BY item
)
SELECT item AS subject, seen AS anchor, seen_before AS period_start, period_end, evidence,
  cardinality(evidence) AS evidence_count, jumps, seen, seen_before, place, place_before,
  distance_km
FROM incidents
ORDER BY subject, anchor
