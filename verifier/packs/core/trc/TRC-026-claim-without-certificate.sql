-- code     = "TRC-026"
-- title    = "A claim is made about goods without a certificate that holds"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "organisation"
-- basis    = ["ISO 14021:2016, 5.7", "ISO/IEC 17065:2012, 7.7"]
-- innocent = ["a certificate covers the goods", "it is for the producer or the site, not for one product", "such a claim needs no certificate", "the renewal of the certificate is still to come", "the claim ended with the certificate", "another certificate of that number covers it", "a body that may be the certificate is not at hand"]
-- answer   = "Withdraw the claim, name the certificate that covers the goods, or have it amended or renewed."
-- expires  = "1095d"
-- message_en = "{issuer} claims {kind} of {item} since {since}, {problem_en}"
-- message_zh = "{issuer} 自 {since} 起宣称 {item} 为 {kind}，{problem_zh}"
WITH -- What nobody at hand certified can be told only where everything is at hand.
whole AS (
  SELECT 1 AS one, max(bodies_missing) AS missing
  FROM coverage
  WHERE coalesce(kind, 'certificate') = 'certificate'
),
made AS (
  SELECT 1 AS one, coalesce(issuer, '') AS issuer, claim, item, lot, kind, standard, certificate, content_id,
    valid_from, valid_to, split_part(split_part(item, '/21/', 1), '/10/', 1) AS class,
    item || '/10/' || coalesce(lot, '') AS of_lot, coalesce(lot, '') AS lot_key
  FROM claims
  WHERE valid_from IS NOT NULL AND unix_ms(valid_from) <= $as_of_ms
),
named AS (
  SELECT m.issuer AS issuer, m.claim AS claim, m.item AS item, m.lot_key AS lot_key, m.content_id AS content_id,
    c.content_id AS certificate_id,
    starts_with(coalesce(c.subject, ''), 'https://id.gs1.org/01/') AND NOT (
      c.subject = m.item OR starts_with(m.item, c.subject || '/')
      OR array_has(coalesce(c.covers, make_array('')), m.item)
      OR array_has(coalesce(c.covers, make_array('')), m.class)
      OR c.subject = m.of_lot
      OR array_has(coalesce(c.covers, make_array('')), m.of_lot)) AS is_other_goods,
    (m.standard IS NOT NULL AND c.standard IS NOT NULL AND m.standard <> c.standard) AS is_other_standard,
    coalesce(m.valid_from < c.valid_from, false) AS is_early,
    coalesce(c.valid_to <= m.valid_from, false)
      OR (c.valid_to IS NOT NULL AND (m.valid_to IS NULL OR c.valid_to < m.valid_to)
        AND unix_ms(c.valid_to) + $renewal_days * 86400000 < $as_of_ms) AS is_late,
    (c.withdrawn_at IS NOT NULL AND (m.valid_to IS NULL OR c.withdrawn_at < m.valid_to)
      AND unix_ms(c.withdrawn_at) + $renewal_days * 86400000 < $as_of_ms) AS is_withdrawn
  FROM made AS m JOIN certificates AS c ON c.id = m.certificate
),
-- Two certifiers may use one number: if one certificate covers the claim, it is that one.
best AS (
  SELECT issuer, claim, item, lot_key, content_id,
    min(CASE WHEN is_other_goods THEN 4 WHEN is_other_standard THEN 5 WHEN is_withdrawn THEN 1 WHEN is_late THEN 2
      WHEN is_early THEN 3 ELSE 0 END) AS problem,
    array_agg(DISTINCT certificate_id ORDER BY certificate_id) AS certificates
  FROM named
  GROUP BY issuer, claim, item, lot_key, content_id
),
-- Goods, makers and sites of which some certificate is on record.
certified AS (
  SELECT subject AS name FROM certificates WHERE subject IS NOT NULL
  UNION
  SELECT holder AS name FROM certificates WHERE holder IS NOT NULL
  UNION
  SELECT unnest(covers) AS name FROM certificates WHERE covers IS NOT NULL
),
unnamed AS (
  SELECT m.issuer AS issuer, m.claim AS claim, m.item AS item, m.lot_key AS lot_key, m.content_id AS content_id,
    CASE WHEN m.certificate IS NULL THEN 6 ELSE 7 END AS problem
  FROM made AS m
    JOIN whole AS w ON w.one = m.one
    LEFT JOIN certificates AS c ON c.id = m.certificate
    LEFT JOIN certified AS own ON own.name = m.item
    LEFT JOIN certified AS class ON class.name = m.class
    LEFT JOIN certified AS lots ON lots.name = m.of_lot
    LEFT JOIN certified AS maker ON maker.name = m.issuer
  WHERE w.missing = 0 AND c.id IS NULL AND unix_ms(m.valid_from) + $renewal_days * 86400000 < $as_of_ms
    AND 0 < strpos('|' || $claims_certified || '|', '|' || m.kind || '|')
    AND (m.certificate IS NOT NULL
      OR (own.name IS NULL AND class.name IS NULL AND lots.name IS NULL AND maker.name IS NULL))
),
problems AS (
  SELECT issuer, claim, item, lot_key, content_id, problem, certificates FROM best WHERE 0 < problem
  UNION ALL
  SELECT issuer, claim, item, lot_key, content_id, problem, make_array(content_id) AS certificates FROM unnamed
)
SELECT coalesce(nullif(m.issuer, ''), m.item) AS subject,
  m.claim || ' ' || CAST(p.problem AS VARCHAR) AS anchor,
  min(m.valid_from) AS period_start, max(coalesce(m.valid_to, m.valid_from)) AS period_end,
  array_distinct(array_concat(array_agg(DISTINCT m.content_id ORDER BY m.content_id), min(p.certificates))) AS evidence,
  cardinality(array_distinct(array_concat(array_agg(DISTINCT m.content_id ORDER BY m.content_id), min(p.certificates)))) AS evidence_count,
  CASE WHEN p.problem = 7 THEN 'note' ELSE 'warning' END AS severity,
  min(nullif(m.issuer, '')) AS issuer, min(m.kind) AS kind, min(m.item) AS item, min(m.valid_from) AS since,
  count(DISTINCT m.item) AS goods, min(m.certificate) AS certificate,
  CASE p.problem WHEN 1 THEN 'but its certificate was withdrawn' WHEN 2 THEN 'but its certificate has run out'
    WHEN 3 THEN 'before its certificate came into force' WHEN 4 THEN 'but its certificate is for other goods'
    WHEN 5 THEN 'but its certificate is for another standard' WHEN 6 THEN 'and no certificate for it is on record'
    ELSE 'by a certificate that nobody at hand issued' END AS problem_en,
  CASE p.problem WHEN 1 THEN '但其证书已撤销' WHEN 2 THEN '但其证书已过期' WHEN 3 THEN '而当时证书尚未生效'
    WHEN 4 THEN '但其证书适用于其他产品' WHEN 5 THEN '但其证书依据另一标准' WHEN 6 THEN '而记录中没有相应证书'
    ELSE '而所引证书未见签发记录' END AS problem_zh
FROM problems AS p
  JOIN made AS m ON m.content_id = p.content_id AND m.item = p.item AND m.issuer = p.issuer AND m.claim = p.claim
    AND m.lot_key = p.lot_key
GROUP BY coalesce(nullif(m.issuer, ''), m.item), m.claim, p.problem
ORDER BY subject, anchor
