-- code     = "LOG-002"
-- title    = "A body that a log names was demanded and not given in time"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "inconsistency"
-- scope    = "network"
-- basis    = ["RFC 9943, section 6"]
-- innocent = ["the body has come since", "the term has not passed", "the demand was closed by whoever made it", "the log of whoever demands is not at hand up to the end of the term"]
-- answer   = "Give the body to whom its audience and its regions admit; to others say in a response that they do not. Whoever demanded it closes the demand when it has come."
-- expires  = "730d"
-- message_en = "Entry {wanted_entry} of {wanted_log} ({audience}): {demanders} asked for its body and say that they were not given it in time"
-- message_zh = "{wanted_log} 的第 {wanted_entry} 条（{audience}）：{demanders} 方要求提供其正文，并称逾期未获提供"
WITH overdue AS (
  SELECT d.content_id, d.issuer, d.holder, d.wanted_log, d.wanted_entry, m.audience,
    coalesce(d.from_hi, d.at) AS demanded_at
  FROM demands AS d
  JOIN missing_bodies AS m ON m.demand = d.content_id
  JOIN coverage AS c ON c.covered_log = d.wanted_log
  WHERE d.state = 'open' AND m.missing = d.wanted
    AND c.covered_issuer IS NULL AND c.from_entry <= d.wanted_entry AND d.wanted_entry < c.to_entry
    -- A demand closed in time would stand in the log of whoever made it, as far as that is at hand.
    AND unix_ms(coalesce(d.from_hi, d.at)) + greatest(d.term_days, $demand_days_min) * 86400000
      < least($as_of_ms, unix_ms(m.seen_to))
)
SELECT holder AS subject, wanted_log || '#' || CAST(wanted_entry AS VARCHAR) AS anchor,
  min(demanded_at) AS period_start, max(demanded_at) AS period_end,
  array_agg(DISTINCT content_id ORDER BY content_id) AS evidence, count(DISTINCT content_id) AS evidence_count,
  -- The names of a named audience are in the body: whether the demand is entitled cannot be seen.
  CASE WHEN audience = 'named' THEN 'note' ELSE 'warning' END AS severity,
  wanted_log, wanted_entry, audience, count(DISTINCT issuer) AS demanders
FROM overdue
GROUP BY holder, wanted_log, wanted_entry, audience
ORDER BY subject, anchor
