-- code     = "TRC-028"
-- title    = "More is claimed under a certificate than it certifies"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "organisation"
-- basis    = ["ISO 22095:2020, 5.4"]
-- innocent = ["what is claimed stays within the certified volume", "a later version of the certificate raises the volume", "a shop repeats what the maker claims", "two certifiers use one number", "the amounts are in another unit than the volume", "the claim is of another period"]
-- answer   = "Correct or withdraw the claims, have the certificate's volume amended, or say under which other certificate the rest is claimed."
-- expires  = "1095d"
-- message_en = "{issuer} claims {claimed} {unit} under certificate {certificate}, which certifies {volume} {unit}"
-- message_zh = "{issuer} 以证书 {certificate} 的名义宣称 {claimed} {unit}，该证书认证量为 {volume} {unit}"
WITH -- A claim is a row for each of its goods, with one volume for all.
made AS (
  SELECT coalesce(issuer, '') AS issuer, claim, certificate, content_id, unit, max(volume) AS volume,
    min(valid_from) AS valid_from, min(item) AS item
  FROM claims
  WHERE volume IS NOT NULL AND unit IS NOT NULL AND certificate IS NOT NULL AND valid_from IS NOT NULL
  GROUP BY coalesce(issuer, ''), claim, certificate, content_id, unit
),
-- Under a number that two certifiers use, both volumes count.
certified AS (
  SELECT id, unit, sum(CAST(volume AS DECIMAL(38, 0))) AS volume, min(valid_from) AS valid_from,
    CASE WHEN bool_and(valid_to IS NOT NULL) THEN max(valid_to) END AS valid_to,
    count(*) AS certificates, array_agg(DISTINCT content_id ORDER BY content_id) AS ids
  FROM certificates
  WHERE volume IS NOT NULL AND unit IS NOT NULL
  GROUP BY id, unit
),
-- A certificate of that number without volume, or in another unit, may be the one that is meant.
open AS (
  SELECT id, count(*) AS certificates FROM certificates GROUP BY id
),
sums AS (
  SELECT m.issuer AS issuer, m.certificate AS certificate, m.unit AS unit, min(m.item) AS item,
    sum(CAST(m.volume AS DECIMAL(38, 0))) AS claimed, min(c.volume) AS volume,
    min(m.valid_from) AS begun, max(m.valid_from) AS ended, min(c.ids) AS ids,
    array_agg(DISTINCT m.content_id ORDER BY m.content_id) AS claims
  FROM made AS m
    JOIN certified AS c ON c.id = m.certificate AND c.unit = m.unit
    JOIN open AS o ON o.id = c.id AND o.certificates = c.certificates
  WHERE (c.valid_from IS NULL OR c.valid_from <= m.valid_from) AND (c.valid_to IS NULL OR m.valid_from < c.valid_to)
  GROUP BY m.issuer, m.certificate, m.unit
)
SELECT coalesce(nullif(issuer, ''), item) AS subject, certificate || ' ' || unit AS anchor, begun AS period_start,
  ended AS period_end, array_concat(claims, ids) AS evidence, cardinality(claims) + cardinality(ids) AS evidence_count,
  nullif(issuer, '') AS issuer, certificate, unit, CAST(claimed AS VARCHAR) AS claimed, CAST(volume AS VARCHAR) AS volume
FROM sums
WHERE volume < claimed
ORDER BY subject, anchor
