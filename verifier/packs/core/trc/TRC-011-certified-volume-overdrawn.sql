-- code     = "TRC-011"
-- title    = "More was made under a certificate than it certifies"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["ISO 22095:2020, 5.4"]
-- innocent = ["what was made stays within the certified volume", "a later version of the certificate raises the volume", "one production is recorded as transformation and as commissioning", "it was made outside the period of the certificate", "the amounts are in another unit than the volume", "one of the events was declared to be in error"]
-- answer   = "Have the certificate's volume amended, declare the wrong event to be in error, or say under which other certificate the rest was made."
-- expires  = "1095d"
-- message_en = "{subject} made {made} {unit} under certificate {certificate}, which certifies {volume} {unit}"
-- message_zh = "{subject} 以证书 {certificate} 的名义生产 {made} {unit}，该证书认证量为 {volume} {unit}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.type AS type, e.read_point AS read_point,
    e.biz_location AS biz_location,
    row_number() OVER (PARTITION BY e.event_id, coalesce(e.issuer, '') ORDER BY e.event_at, e.content_id) AS copy
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
    AND (e.type = 'TransformationEvent' OR (e.type = 'ObjectEvent' AND e.action = 'ADD'))
),
-- An event cites a certificate by its number, or by an address that ends in it.
cited AS (
  SELECT event_id, coalesce(issuer, '') AS issuer, ref AS id FROM event_links WHERE kind = 'certificate'
  UNION
  SELECT event_id, coalesce(issuer, '') AS issuer, split_part(ref, '/', -1) AS id FROM event_links WHERE kind = 'certificate'
  UNION
  SELECT event_id, coalesce(issuer, '') AS issuer, split_part(ref, ':', -1) AS id FROM event_links WHERE kind = 'certificate'
),
under AS (
  SELECT c.site AS site, c.id AS certificate, c.content_id AS certificate_id, c.volume AS volume, c.unit AS unit,
    l.event_id AS event_id, l.issuer AS issuer, l.type AS type, l.event_at AS event_at, l.content_id AS content_id
  FROM cited AS k
    JOIN certificates AS c ON c.id = k.id
    JOIN live AS l ON l.event_id = k.event_id AND (k.issuer = l.issuer OR k.issuer = '')
  WHERE c.volume IS NOT NULL AND c.unit IS NOT NULL AND c.site IS NOT NULL AND l.copy = 1
    AND (l.read_point = c.site OR l.biz_location = c.site)
    AND (c.valid_from IS NULL OR c.valid_from <= l.event_at)
    AND (c.valid_to IS NULL OR l.event_at < c.valid_to)
),
amounts AS (
  SELECT u.site AS site, u.certificate AS certificate, u.certificate_id AS certificate_id, u.volume AS volume,
    u.unit AS unit, u.type AS type, u.event_at AS event_at, u.content_id AS content_id,
    CASE WHEN i.quantity IS NULL THEN 1000
      ELSE base_amount('goods', i.quantity, coalesce(i.scale_e10, 0) + 3, coalesce(i.uom, 'items')) END AS thousandths,
    CASE
      WHEN u.unit = 'items' AND coalesce(i.uom, 'H87') IN ('H87', 'C62', 'EA')
        AND (i.quantity IS NOT NULL OR 0 < strpos(i.item, '/21/')) THEN 1
      WHEN i.quantity IS NULL THEN NULL
      WHEN u.unit = 'g' THEN CASE i.uom WHEN 'GRM' THEN 1 WHEN 'KGM' THEN 1000 WHEN 'TNE' THEN 1000000 END
      WHEN u.unit = 'mL' THEN CASE i.uom WHEN 'MLT' THEN 1 WHEN 'LTR' THEN 1000 WHEN 'MTQ' THEN 1000000 END
    END AS factor
  FROM under AS u
    JOIN event_items AS i ON i.event_id = u.event_id AND coalesce(i.issuer, u.issuer) = u.issuer
  WHERE i.role IN ('epc', 'output')
),
-- Of one production that is recorded twice, as transformation and as commissioning, one counts.
sums AS (
  SELECT site, certificate, certificate_id, unit, max(volume) AS volume, min(event_at) AS begun, max(event_at) AS ended,
    greatest(coalesce(sum(CASE WHEN type = 'TransformationEvent' THEN factor * CAST(thousandths AS DECIMAL(38, 0)) END), 0),
      coalesce(sum(CASE WHEN type = 'ObjectEvent' THEN factor * CAST(thousandths AS DECIMAL(38, 0)) END), 0)) AS made,
    array_agg(DISTINCT content_id ORDER BY content_id) AS events
  FROM amounts
  WHERE factor IS NOT NULL AND 0 <= thousandths AND thousandths <= $thousandths_max
  GROUP BY site, certificate, certificate_id, unit
)
SELECT site AS subject, certificate || ' ' || certificate_id AS anchor, begun AS period_start, ended AS period_end,
  array_concat(make_array(certificate_id), events) AS evidence, cardinality(events) + 1 AS evidence_count,
  certificate, unit, CAST(CAST(made / 1000 AS DECIMAL(38, 0)) AS VARCHAR) AS made, volume
FROM sums
WHERE CAST(volume AS DECIMAL(38, 0)) * 1000 < made
ORDER BY subject, anchor
