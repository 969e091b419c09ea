-- code     = "MTR-001"
-- title    = "A device's batches contradict one another or are missing"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "inconsistency"
-- scope    = "device"
-- basis    = ["ISO 14064-1:2018, 8.1", "Regulation (EU) 2018/2066, article 58"]
-- innocent = ["the device started anew and counts from the beginning", "its spool drains late", "the missing batches are merely not at hand", "the same batch was recorded twice"]
-- answer   = "Publish the device's own spool: the batch that it signed under the sequence, or those that are missing."
-- expires  = "1825d"
-- message_en = "{subject} {problem_en}, from sequence {first_sequence} of boot {boot} on"
-- message_zh = "{subject} {problem_zh}，自第 {boot} 次启动的序号 {first_sequence} 起"
WITH numbered AS (
  SELECT content_id, log, device, coalesce(boot, 0) AS boot, sequence, quantity, unit,
    coalesce(statistic, 'sum') AS statistic, interval_s, read_at, coalesce(scale_e10, 0) AS scale,
    amount, register
  FROM meter_readings
  WHERE sequence IS NOT NULL
),
-- One interval under one sequence with two values: the device, or who holds its key, signed twice.
twice AS (
  SELECT device, boot, sequence, read_at, min(content_id) AS one, max(content_id) AS other
  FROM numbered
  GROUP BY device, boot, sequence, quantity, unit, statistic, interval_s, scale, read_at
  HAVING min(amount) <> max(amount) OR min(register) <> max(register)
),
cited AS (
  SELECT subject AS device, content_id AS defect, at, unnest(cites) AS cite
  FROM defects
  WHERE kind = 'fork' AND starts_with(subject, 'urn:hallmark:device:')
),
known AS (
  SELECT c.defect AS defect, max(n.boot) AS boot, min(n.sequence) AS sequence,
    min(n.read_at) AS read_at
  FROM cited AS c JOIN numbered AS n ON n.content_id = c.cite
  GROUP BY c.defect
),
forks AS (
  SELECT device, boot, sequence, read_at, one AS evidence FROM twice
  UNION ALL
  SELECT device, boot, sequence, read_at, other AS evidence FROM twice
  UNION ALL
  SELECT c.device AS device, coalesce(k.boot, 0) AS boot, k.sequence AS sequence,
    coalesce(k.read_at, c.at) AS read_at, c.cite AS evidence
  FROM cited AS c LEFT JOIN known AS k ON k.defect = c.defect
),
forked AS (
  SELECT device, boot, min(sequence) AS first_sequence, count(DISTINCT sequence) AS batches,
    min(read_at) AS period_start, max(read_at) AS period_end,
    array_agg(DISTINCT evidence ORDER BY evidence) AS evidence,
    count(DISTINCT evidence) AS evidence_count
  FROM forks
  GROUP BY device, boot
),
-- What is absent says something only where a log is known to be held whole.
whole AS (
  SELECT covered_log, max(to_at) AS to_at
  FROM coverage
  WHERE coalesce(kind, 'readings') = 'readings'
  GROUP BY covered_log
  HAVING max(bodies_missing) = 0
),
batches AS (
  SELECT log, device, boot, sequence, min(content_id) AS content_id, max(read_at) AS read_at
  FROM numbered
  GROUP BY log, device, boot, sequence
),
neighbours AS (
  SELECT log, device, boot, sequence, content_id, read_at,
    lag(sequence) OVER (PARTITION BY device, boot ORDER BY sequence, content_id) AS sequence_before,
    lag(content_id) OVER (PARTITION BY device, boot ORDER BY sequence, content_id) AS before,
    lag(read_at) OVER (PARTITION BY device, boot ORDER BY sequence, content_id) AS read_before
  FROM batches
),
holes AS (
  SELECT n.device AS device, n.boot AS boot, n.sequence AS sequence,
    n.sequence_before AS sequence_before, n.content_id AS content_id, n.before AS before,
    n.read_at AS read_at, n.read_before AS read_before
  FROM neighbours AS n JOIN whole AS w ON w.covered_log = n.log
  WHERE 1 < n.sequence - n.sequence_before
    AND n.read_at <= w.to_at
    AND unix_ms(n.read_at) + $spool_days * 86400000 < $as_of_ms
),
gaps AS (
  SELECT device, boot, min(sequence_before) + 1 AS first_sequence,
    sum(sequence - sequence_before - 1) AS batches,
    min(read_before) AS period_start, max(read_at) AS period_end,
    array_distinct(array_concat(array_agg(DISTINCT before ORDER BY before),
      array_agg(DISTINCT content_id ORDER BY content_id))) AS evidence
  FROM holes
  GROUP BY device, boot
)
SELECT device AS subject, 'fork ' || CAST(boot AS VARCHAR) AS anchor, period_start, period_end,
  evidence, evidence_count, 'error' AS severity, boot, first_sequence, batches,
  'signed two versions of what it had sent (batches: ' || CAST(batches AS VARCHAR) || ')' AS problem_en,
  '对 ' || CAST(batches AS VARCHAR) || ' 批数据签署了两个版本' AS problem_zh
FROM forked
UNION ALL
SELECT device AS subject, 'gap ' || CAST(boot AS VARCHAR) AS anchor, period_start, period_end,
  evidence, cardinality(evidence) AS evidence_count, 'note' AS severity, boot, first_sequence, batches,
  'has a gap (batches: ' || CAST(batches AS VARCHAR) || ')' AS problem_en,
  '缺少 ' || CAST(batches AS VARCHAR) || ' 批数据' AS problem_zh
FROM gaps
ORDER BY subject, anchor
