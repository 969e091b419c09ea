-- code     = "TRC-015"
-- title    = "A certificate was used outside its period or scope"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "item"
-- basis    = ["ISO/IEC 17065:2012, 7.7", "GS1 EPCIS 2.0, 7.3.3"]
-- innocent = ["the certificate was in force at the time", "another certificate of that number covers it", "it is for the producer or the site, not for one product", "the certifier's accreditation is not on record", "goods that were certified when they were made are sold later", "the certificate is not at hand", "one of the events was declared to be in error"]
-- answer   = "Declare the event to be in error, cite the certificate that covers the goods, or have the certifier amend its scope or period."
-- expires  = "730d"
-- message_en = "{subject} cites, in an event of {used}, certificate {certificate}, {problem_en}"
-- message_zh = "{subject} 在 {used} 的事件中引用证书 {certificate}，{problem_zh}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, e.type AS type, coalesce(e.action, '') AS action,
    coalesce(e.read_point, '') AS read_point, coalesce(e.biz_location, '') AS biz_location
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL
),
-- An event cites a certificate by its number, or by an address that ends in it.
cited AS (
  SELECT event_id, coalesce(issuer, '') AS issuer, ref, ref AS id FROM event_links WHERE kind = 'certificate'
  UNION
  SELECT event_id, coalesce(issuer, '') AS issuer, ref, split_part(ref, '/', -1) AS id FROM event_links WHERE kind = 'certificate'
  UNION
  SELECT event_id, coalesce(issuer, '') AS issuer, ref, split_part(ref, ':', -1) AS id FROM event_links WHERE kind = 'certificate'
),
-- How each body stood for a standard, period by period.
periods AS (
  SELECT organisation, sectors, coalesce(status, 'in_force') AS status,
    coalesce(from_at, valid_from) AS from_at, valid_from, valid_to, content_id,
    lead(from_at) OVER (PARTITION BY organisation, scheme, number ORDER BY coalesce(from_at, valid_from), content_id) AS next_at
  FROM accreditations
),
uses AS (
  SELECT i.item AS item, l.event_id AS event_id, l.event_at AS event_at, l.content_id AS content_id,
    k.ref AS ref, c.id AS certificate, c.content_id AS certificate_id, c.standard AS standard,
    coalesce(c.issuer, '') AS certifier,
    -- A sale cites what was true when the goods were made; a birth must be covered itself.
    (i.role = 'output' OR (i.role = 'epc' AND l.type = 'ObjectEvent' AND l.action = 'ADD')) AS is_birth,
    coalesce(l.event_at < c.valid_from, false) AS is_early,
    coalesce(c.valid_to <= l.event_at, false) AS is_late,
    coalesce(c.withdrawn_at <= l.event_at, false) AS is_withdrawn,
    starts_with(coalesce(c.subject, ''), 'https://id.gs1.org/01/')
      AND NOT (c.subject = i.item OR starts_with(i.item, c.subject || '/')
        OR array_has(coalesce(c.covers, make_array('')), i.item)
        OR array_has(coalesce(c.covers, make_array('')), split_part(split_part(i.item, '/21/', 1), '/10/', 1))
        OR array_has(coalesce(c.covers, make_array('')), split_part(split_part(i.item, '/21/', 1), '/10/', 1) || '/10/' || coalesce(i.lot, ''))
        OR c.subject = split_part(split_part(i.item, '/21/', 1), '/10/', 1) || '/10/' || coalesce(i.lot, ''))
      AS is_other_goods,
    starts_with(coalesce(c.site, ''), 'https://id.gs1.org/414/') AND l.read_point <> '' AND NOT (l.read_point = c.site
      OR starts_with(l.read_point, c.site || '/254/') OR l.biz_location = c.site
      OR starts_with(l.biz_location, c.site || '/254/')) AS is_other_site
  FROM event_items AS i
    JOIN live AS l ON l.event_id = i.event_id AND coalesce(i.issuer, l.issuer) = l.issuer
    JOIN cited AS k ON k.event_id = l.event_id AND (k.issuer = l.issuer OR k.issuer = '')
    JOIN certificates AS c ON c.id = k.id
  WHERE i.role IN ('epc', 'output') AND starts_with(i.item, 'https://id.gs1.org/01/')
),
-- Bodies whose accreditation for the standard is on record: whether it was in force at the use.
standing AS (
  SELECT u.certifier AS certifier, u.standard AS standard, u.event_at AS event_at,
    bool_or(a.status = 'in_force' AND (a.from_at IS NULL OR a.from_at <= u.event_at)
      AND (a.next_at IS NULL OR u.event_at < a.next_at)
      AND (a.valid_to IS NULL OR u.event_at < a.valid_to)) AS is_accredited,
    min(a.content_id) AS accreditation_id
  FROM (SELECT DISTINCT certifier, standard, event_at FROM uses) AS u
    JOIN periods AS a ON a.organisation = u.certifier
  WHERE array_has(coalesce(a.sectors, make_array('')), u.standard)
  GROUP BY u.certifier, u.standard, u.event_at
),
judged AS (
  SELECT u.item AS item, u.event_id AS event_id, u.event_at AS event_at, u.content_id AS content_id, u.ref AS ref,
    u.certificate AS certificate, u.certificate_id AS certificate_id,
    CASE WHEN u.is_withdrawn AND u.is_birth THEN 1 WHEN u.is_late AND u.is_birth THEN 2
      WHEN u.is_early AND u.is_birth THEN 3 WHEN u.is_other_goods THEN 4
      WHEN u.is_other_site AND u.is_birth THEN 5 WHEN NOT coalesce(s.is_accredited, true) AND u.is_birth THEN 6
      ELSE 0 END AS problem,
    CASE WHEN NOT coalesce(s.is_accredited, true) THEN s.accreditation_id ELSE u.certificate_id END AS further_id
  FROM uses AS u
    LEFT JOIN standing AS s ON s.certifier = u.certifier AND s.standard = u.standard AND s.event_at = u.event_at
),
-- Two certifiers may use one number: if one certificate covers the use, it is that one.
best AS (
  SELECT item, event_id, event_at, content_id, ref, min(problem) AS least, max(problem) AS problem,
    min(certificate) AS certificate, array_agg(DISTINCT certificate_id ORDER BY certificate_id) AS certificates,
    array_agg(DISTINCT further_id ORDER BY further_id) AS further
  FROM judged
  GROUP BY item, event_id, event_at, content_id, ref
),
incidents AS (
  SELECT item, certificate, problem, min(event_at) AS used, max(event_at) AS period_end,
    count(DISTINCT event_id) AS uses, array_agg(DISTINCT content_id ORDER BY content_id) AS events,
    min(certificates) AS certificates, min(further) AS further
  FROM best
  WHERE 0 < least
  GROUP BY item, certificate, problem
)
SELECT item AS subject, certificate || ' ' || CAST(problem AS VARCHAR) AS anchor, used AS period_start, period_end,
  array_distinct(array_concat(events, certificates, further)) AS evidence,
  cardinality(array_distinct(array_concat(events, certificates, further))) AS evidence_count,
  certificate, used, uses,
  CASE problem WHEN 1 THEN 'which had been withdrawn' WHEN 2 THEN 'which had run out' WHEN 3 THEN 'which was not yet in force'
    WHEN 4 THEN 'which is for other goods' WHEN 5 THEN 'which is for another site'
    ELSE 'whose issuer was not accredited for its standard then' END AS problem_en,
  CASE problem WHEN 1 THEN '该证书当时已撤销' WHEN 2 THEN '该证书当时已过期' WHEN 3 THEN '该证书当时尚未生效'
    WHEN 4 THEN '该证书适用于其他产品' WHEN 5 THEN '该证书适用于其他场所'
    ELSE '发证机构当时未就该标准获得认可' END AS problem_zh
FROM incidents
ORDER BY subject, anchor
