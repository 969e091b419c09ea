-- code     = "TRC-009"
-- title    = "More came out of a transformation than its inputs can give"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["ISO 22095:2020, 5.4", "GS1 EPCIS 2.0, 7.4.6"]
-- innocent = ["two weighings differ", "the lot's yield is above one", "an input is counted or measured by volume", "nobody stated how much of an input went in", "further inputs of the same transformation are still to come", "one of the events was declared to be in error"]
-- answer   = "Declare the wrong event to be in error, record the inputs that are missing, or state the yield of the lot."
-- expires  = "1095d"
-- message_en = "{subject} made in transformation {name} {made_g} g out of {used_g} g, where at most {most_g} g can come of it"
-- message_zh = "{subject} 的转化 {name} 由 {used_g} 克投入产出 {made_g} 克，至多可产出 {most_g} 克"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.transformation_id AS transformation_id,
    coalesce(e.read_point, e.biz_location) AS place,
    row_number() OVER (PARTITION BY e.event_id, coalesce(e.issuer, '') ORDER BY e.event_at, e.content_id) AS copy
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND e.type = 'TransformationEvent'
    AND coalesce(e.read_point, e.biz_location) IS NOT NULL
),
-- One transformation is one event, or the events of one transformationID of one issuer at one place.
amounts AS (
  SELECT l.place AS place, l.issuer AS issuer, coalesce(l.transformation_id, l.event_id) AS name,
    l.transformation_id IS NOT NULL AS is_open, l.event_at AS event_at, l.content_id AS content_id,
    i.role AS role, i.item AS item, i.lot AS lot,
    CASE i.uom WHEN 'GRM' THEN 1 WHEN 'KGM' THEN 1000 WHEN 'TNE' THEN 1000000 END AS grams,
    base_amount('goods', i.quantity, coalesce(i.scale_e10, 0) + 3, coalesce(i.uom, '')) AS thousandths
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
  WHERE l.copy = 1 AND i.role IN ('input', 'output')
),
yields AS (
  SELECT item AS class, lot, max(yield_max_ppm) AS yield_ppm
  FROM lots
  WHERE yield_max_ppm IS NOT NULL
  GROUP BY item, lot
),
rated AS (
  SELECT a.place AS place, a.issuer AS issuer, a.name AS name, a.is_open AS is_open,
    a.event_at AS event_at, a.content_id AS content_id, a.role AS role, y.yield_ppm AS yield_ppm,
    CASE WHEN 0 <= a.thousandths AND a.thousandths <= $thousandths_max
      THEN a.grams * CAST(a.thousandths AS DECIMAL(38, 0)) END AS mg
  FROM amounts AS a
    LEFT JOIN yields AS y ON y.class = split_part(split_part(a.item, '/10/', 1), '/21/', 1) AND y.lot = a.lot
),
sums AS (
  SELECT place, issuer, name, bool_or(is_open) AS is_open, min(event_at) AS begun, max(event_at) AS ended,
    sum(CASE WHEN role = 'output' THEN mg END) AS made, sum(CASE WHEN role = 'input' THEN mg END) AS used,
    bool_or(role = 'input' AND mg IS NULL) AS is_partly_unknown,
    max(CASE WHEN role = 'output' THEN yield_ppm END) AS yield_ppm,
    array_agg(DISTINCT content_id ORDER BY content_id) AS evidence
  FROM rated
  GROUP BY place, issuer, name
),
most AS (
  SELECT place, issuer, name, is_open, begun, ended, made, used, yield_ppm, evidence,
    used * (coalesce(yield_ppm, $yield_ppm) + $weighing_ppm) AS most_ppm_mg
  FROM sums
  WHERE NOT is_partly_unknown AND 0 < used
    AND (NOT is_open OR unix_ms(ended) + $transformation_days * 86400000 < $as_of_ms)
)
-- Water and air that nobody lists add mass: without a stated yield it is a note.
SELECT place AS subject, issuer || ' ' || name AS anchor, begun AS period_start, ended AS period_end, evidence,
  cardinality(evidence) AS evidence_count,
  CASE WHEN yield_ppm IS NULL THEN 'note' ELSE 'warning' END AS severity, name,
  CAST(CAST(made / 1000 AS DECIMAL(38, 0)) AS VARCHAR) AS made_g, CAST(CAST(used / 1000 AS DECIMAL(38, 0)) AS VARCHAR) AS used_g,
  CAST(CAST(most_ppm_mg / 1000000000 AS DECIMAL(38, 0)) AS VARCHAR) AS most_g
FROM most
WHERE most_ppm_mg < made * 1000000
ORDER BY subject, anchor
