-- code     = "TRC-019"
-- title    = "One organisation told one event in two ways"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "inconsistency"
-- scope    = "item"
-- basis    = ["GS1 EPCIS 2.0, 7.4.1", "GS1 CBV 2.0, 8.9"]
-- innocent = ["the same event was recorded twice", "the event was declared to be in error", "another organisation tells the event in its own words", "the hash of the event is not known"]
-- answer   = "Declare the event to be in error under its own eventID and tell it anew under another."
-- expires  = "1825d"
-- message_en = "{author} told event {subject} in {versions} ways, the first of {first_at}"
-- message_zh = "{author} 对事件 {subject} 有 {versions} 种说法，最早为 {first_at}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
-- The second telling is refused where it comes to the same log, and stands in no other table.
tellings AS (
  SELECT event_id, issuer, event_hash, event_at, content_id FROM events
  UNION
  SELECT event_id, issuer, event_hash, event_at, content_id FROM events_all
),
told AS (
  SELECT e.event_id AS event_id, coalesce(e.issuer, '') AS issuer, e.event_hash AS event_hash,
    e.event_at AS event_at, e.content_id AS content_id
  FROM tellings AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND e.event_hash IS NOT NULL
),
-- Few are: what is distinct is counted of these alone, since each count of texts holds some memory.
twice AS (
  SELECT event_id, issuer FROM told GROUP BY event_id, issuer HAVING min(event_hash) <> max(event_hash)
)
SELECT t.event_id AS subject, 'told ' || t.issuer AS anchor, min(t.event_at) AS period_start,
  max(t.event_at) AS period_end, array_agg(DISTINCT t.content_id ORDER BY t.content_id) AS evidence,
  count(DISTINCT t.content_id) AS evidence_count, count(DISTINCT t.event_hash) AS versions,
  min(t.event_at) AS first_at, nullif(t.issuer, '') AS author
FROM told AS t JOIN twice AS b ON b.event_id = t.event_id AND b.issuer = t.issuer
GROUP BY t.event_id, t.issuer
ORDER BY subject, anchor
