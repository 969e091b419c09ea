-- code     = "TRC-025"
-- title    = "An inspector or laboratory was not accredited when it inspected or tested"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "nonconformity"
-- scope    = "facility"
-- basis    = ["ISO/IEC 17020:2012, 5.1", "ISO/IEC 17025:2017, 5.4"]
-- innocent = ["an accreditation was in force", "another accreditation covers the standard", "no accreditation of the body is on record", "it came into force again on the same day", "the inspection gives way to a later version"]
-- answer   = "Publish the accreditation that was in force, or have the goods inspected or tested by a body that is accredited."
-- expires  = "1095d"
-- message_en = "{body} {act_en} by {standard} on {done}, when {problem_en}; such acts in all: {acts}"
-- message_zh = "{body} 于 {done} 按 {standard} {act_zh}，{problem_zh}；此类行为共 {acts} 项"
WITH acts AS (
  SELECT coalesce(issuer, '') AS body, standard, at AS done, content_id, 'inspection' AS act,
    coalesce(issuer, '') AS subject
  FROM inspections
  WHERE at IS NOT NULL AND standard IS NOT NULL
  UNION ALL
  SELECT laboratory AS body, method_standard AS standard, coalesce(tested_at, issued_at) AS done, content_id,
    'test' AS act, coalesce(facility, laboratory) AS subject
  FROM lab_tests
  WHERE coalesce(tested_at, issued_at) IS NOT NULL AND method_standard IS NOT NULL
),
-- How each body stood, period by period: a statement holds until the next of the same number.
periods AS (
  SELECT organisation, coalesce(status, 'in_force') AS status, content_id, valid_to,
    coalesce(from_at, valid_from) AS from_at,
    lead(from_at) OVER (PARTITION BY organisation, scheme, number ORDER BY coalesce(from_at, valid_from), content_id) AS next_at,
    array_concat(coalesce(sectors, make_array('')), coalesce(methods, make_array(''))) AS scope,
    CASE WHEN scheme = 'iso17020' THEN 'inspection' WHEN scheme = 'iso17025' THEN 'test' ELSE 'any' END AS act
  FROM accreditations
  WHERE coalesce(scheme, '') NOT IN ('iso17065', 'iso14065')
),
-- The accreditations that speak of the act: those that list its standard, wherever one does, else those
-- that list no scope.
met AS (
  SELECT a.body AS body, a.standard AS standard, a.done AS done, a.act AS act, a.content_id AS content_id,
    a.subject AS subject, p.content_id AS accreditation,
    (array_has(p.scope, a.standard)) AS is_listed,
    (array_to_string(p.scope, '') = '') AS is_open,
    (p.status = 'in_force' AND (p.from_at IS NULL OR unix_ms(p.from_at) < unix_ms(a.done) + $accreditation_ms)
      AND (p.next_at IS NULL OR unix_ms(a.done) < unix_ms(p.next_at) + $accreditation_ms)
      AND (p.valid_to IS NULL OR unix_ms(a.done) < unix_ms(p.valid_to) + $accreditation_ms)) AS is_in_force
  FROM acts AS a JOIN periods AS p ON p.organisation = a.body
  WHERE p.act = 'any' OR p.act = a.act
),
judged AS (
  SELECT body, standard, done, act, content_id, subject,
    bool_or(is_in_force) AS is_accredited,
    bool_or(is_listed OR is_open) AS is_spoken_of,
    bool_or(is_in_force AND (is_listed OR is_open)) AS is_covered,
    array_agg(DISTINCT accreditation ORDER BY accreditation) AS accreditations
  FROM met
  GROUP BY body, standard, done, act, content_id, subject
),
wrong AS (
  SELECT body, standard, done, act, content_id, subject, accreditations,
    CASE WHEN NOT is_accredited THEN 1 WHEN is_spoken_of THEN 2 ELSE 3 END AS problem
  FROM judged
  WHERE NOT is_covered
)
SELECT subject, body || ' ' || act || ' ' || CAST(problem AS VARCHAR) || ' ' || standard AS anchor,
  min(done) AS period_start, max(done) AS period_end,
  array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id), min(accreditations))) AS evidence,
  cardinality(array_distinct(array_concat(array_agg(DISTINCT content_id ORDER BY content_id), min(accreditations)))) AS evidence_count,
  CASE WHEN problem = 3 THEN 'note' ELSE 'warning' END AS severity,
  nullif(body, '') AS body, standard, min(done) AS done, count(DISTINCT content_id) AS acts,
  CASE act WHEN 'inspection' THEN 'inspected' ELSE 'tested' END AS act_en,
  CASE act WHEN 'inspection' THEN '实施检验' ELSE '实施检测' END AS act_zh,
  CASE problem WHEN 1 THEN 'no accreditation of it was in force'
    WHEN 2 THEN 'its accreditation for that standard was not in force'
    ELSE 'its accreditations named other standards alone' END AS problem_en,
  CASE problem WHEN 1 THEN '当时其认可均未生效' WHEN 2 THEN '当时其该标准的认可未生效'
    ELSE '其认可仅列其他标准' END AS problem_zh
FROM wrong
GROUP BY subject, body, act, problem, standard
ORDER BY subject, anchor
