-- code     = "TRC-018"
-- title    = "Events lie after their record, or long before it"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "location"
-- basis    = ["GS1 EPCIS 2.0, 7.4.1", "RFC 9943, section 6"]
-- innocent = ["the clock of the place is a few minutes ahead", "the device's spool drained late", "an earlier repository had recorded them in time", "they were recorded within the month", "their author took over its history when it joined", "no log proves when they were recorded", "one of the events was declared to be in error"]
-- answer   = "Say why the events were recorded then, publish the device's own spool, or declare the wrong events to be in error."
-- expires  = "365d"
-- message_en = "Events at {subject} by {author} {problem_en}: {events} in all, the first of {first_at}"
-- message_zh = "{author} 在 {subject} 的 {events} 个事件（最早 {first_at}）{problem_zh}"
WITH withdrawn AS (
  SELECT DISTINCT event_id, coalesce(issuer, '') AS issuer FROM events WHERE declared_error
),
live AS (
  SELECT e.event_id AS event_id, e.event_at AS event_at, e.content_id AS content_id,
    coalesce(e.issuer, '') AS issuer, coalesce(e.read_point, e.biz_location) AS place,
    e.from_lo AS from_lo, e.from_hi AS from_hi, e.asserted_at AS asserted_at, e.recorded_at AS recorded_at
  FROM events AS e
    LEFT JOIN withdrawn AS w ON w.event_id = e.event_id AND w.issuer = coalesce(e.issuer, '')
  WHERE w.event_id IS NULL AND coalesce(e.read_point, e.biz_location) IS NOT NULL
),
-- An event that several logs hold counts by the first that proves its time.
first_held AS (
  SELECT place, issuer, event_id, min(event_at) AS event_at, min(content_id) AS content_id,
    min(from_lo) AS from_lo, min(from_hi) AS from_hi, min(asserted_at) AS asserted_at,
    min(recorded_at) AS recorded_at
  FROM live
  GROUP BY place, issuer, event_id
),
-- Since when an author records at a place: what is older is its history, taken over.
dated AS (
  SELECT place, issuer, event_id, event_at, content_id, from_lo, from_hi, asserted_at, recorded_at,
    min(from_lo) OVER (PARTITION BY place, issuer) AS joined_at
  FROM first_held
),
odd AS (
  SELECT place, issuer, event_id, event_at, content_id,
    CASE WHEN unix_ms(from_hi) + $birth_clock_ms < unix_ms(event_at) THEN 'future' ELSE 'late' END AS way
  FROM dated
  WHERE unix_ms(from_hi) + $birth_clock_ms < unix_ms(event_at)
    -- Signed in time and sent late is what a spool does; what an earlier repository wrote down is known.
    OR (joined_at <= event_at AND unix_ms(event_at) + $spool_days * 86400000 < unix_ms(from_lo)
      AND unix_ms(event_at) + $signing_ms < unix_ms(coalesce(asserted_at, from_lo))
      AND unix_ms(event_at) + $spool_days * 86400000 < unix_ms(coalesce(recorded_at, from_lo)))
)
-- Books that are written up later look like backdating: a note. Nothing can be recorded before it happens.
SELECT place AS subject, way || ' ' || issuer AS anchor, min(event_at) AS period_start,
  max(event_at) AS period_end, array_agg(DISTINCT content_id ORDER BY content_id) AS evidence,
  count(DISTINCT content_id) AS evidence_count,
  CASE way WHEN 'future' THEN 'warning' ELSE 'note' END AS severity,
  count(*) AS events, min(event_at) AS first_at, nullif(issuer, '') AS author,
  CASE way WHEN 'future' THEN 'say a time at which they were already recorded'
    ELSE 'were signed and recorded more than a month later' END AS problem_en,
  CASE way WHEN 'future' THEN '所称时间晚于其登记时间' ELSE '逾一个月后才签署并登记' END AS problem_zh
FROM odd
GROUP BY place, way, issuer
ORDER BY subject, anchor
