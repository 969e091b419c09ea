-- code     = "LOG-001"
-- title    = "A log, record or key failed a check"
-- status   = "stable"
-- since    = "0.1"
-- severity = "error"
-- class    = "defect"
-- scope    = "network"
-- basis    = ["RFC 9162, section 2.1", "RFC 9943"]
-- innocent = ["a device's forked batch, which MTR-001 reports"]
-- answer   = "Put a file that is lost or damaged back from a copy; publish the bytes that a proof lacks. Only a log that has shown two signed histories is sealed and succeeded."
-- expires  = "3650d"
-- message_en = "{subject}: {meaning_en} ({kind})"
-- message_zh = "{subject}：{meaning_zh}（{kind}）"
WITH broken AS (
  SELECT subject, kind, at, content_id, cites,
    array_distinct(coalesce(cites, make_array(content_id))) AS evidence
  FROM defects
  WHERE NOT (kind = 'fork' AND starts_with(subject, 'urn:hallmark:device:'))
)
SELECT subject,
  kind || ' ' || coalesce(cites[1], content_id) AS anchor,
  at AS period_start,
  at AS period_end,
  evidence,
  cardinality(evidence) AS evidence_count,
  -- Bytes that are missing prove no lie: their holder may yet deliver them.
  -- What was served is one member's word.
  CASE WHEN kind = 'fork_corrected' THEN 'note'
    WHEN kind IN ('withheld', 'unchecked', 'bad_chain', 'bad_tile') THEN 'warning' ELSE 'error' END AS severity,
  kind,
  CASE kind
    WHEN 'bad_audience' THEN 'its entry in the log states another audience than was signed'
    WHEN 'bad_body' THEN 'the stored record is not the one that was logged: its bytes were changed'
    WHEN 'bad_chain' THEN 'a batch of readings does not name the batch before it'
    WHEN 'bad_cosignature' THEN 'this witness vouched for two contradicting histories of one log, or for a shorter one after a longer'
    WHEN 'bad_proof' THEN 'a proof that was given here does not hold: a tile, an entry, a receipt, a head or an accusation contradicts what was signed'
    WHEN 'bad_signature' THEN 'the signature on a record or checkpoint does not verify'
    WHEN 'bad_tile' THEN 'a member reports, on its word alone, that it was served other entries than this log signed'
    WHEN 'damaged' THEN 'a file is not as it was written'
    WHEN 'fork' THEN 'two different contents were recorded under one identity'
    WHEN 'fork_corrected' THEN 'two different contents were recorded under one identity, and their issuer has since corrected one of them'
    WHEN 'key_not_in_force' THEN 'it was signed with a key that was not in force when it was recorded'
    WHEN 'no_quorum' THEN 'fewer witnesses signed than the network demands'
    WHEN 'role_missing' THEN 'the issuer lacks the role that this kind of record takes'
    WHEN 'shrink' THEN 'this log dropped entries that it had signed, or went back in time'
    WHEN 'split' THEN 'this log signed two histories that contradict each other, so that readers were shown different ones'
    WHEN 'unchecked' THEN 'what another system signed was not checked, as its key or its form is not known here'
    WHEN 'unlogged' THEN 'this record stands in none of the logs at hand'
    WHEN 'withheld' THEN 'a record that was logged or is cited is missing here'
    ELSE 'a check failed'
  END AS meaning_en,
  CASE kind
    WHEN 'bad_audience' THEN '日志条目所述的公开范围与签名内容不符'
    WHEN 'bad_body' THEN '所存记录不是入账时的那一份，其字节已被改动'
    WHEN 'bad_chain' THEN '一批读数未指明其前一批'
    WHEN 'bad_cosignature' THEN '该见证方为同一日志的两段相互矛盾的历史作了见证，或在较长的历史之后又见证了较短的历史'
    WHEN 'bad_proof' THEN '此处给出的证明不成立：数据块、条目、回执、日志头或指控与已签署的内容矛盾'
    WHEN 'bad_signature' THEN '记录或检查点的签名验证不通过'
    WHEN 'bad_tile' THEN '仅据一成员陈述，其所获条目与该日志签署的不符'
    WHEN 'damaged' THEN '文件内容与写入时不符'
    WHEN 'fork' THEN '同一标识下记录了两份不同内容'
    WHEN 'fork_corrected' THEN '同一标识下记录了两份不同内容，签发方其后已更正其中一份'
    WHEN 'key_not_in_force' THEN '签名所用密钥在入账时不在有效期内'
    WHEN 'no_quorum' THEN '见证方数量少于网络的要求'
    WHEN 'role_missing' THEN '签发方不具备签发此类记录所需的角色'
    WHEN 'shrink' THEN '该日志丢弃了已签署的条目，或时间倒退'
    WHEN 'split' THEN '该日志签署了两段相互矛盾的历史，不同读者所见不同'
    WHEN 'unchecked' THEN '其他系统签署的内容未经核验，因其密钥或形式在此未知'
    WHEN 'unlogged' THEN '该记录不在现有的任何日志中'
    WHEN 'withheld' THEN '已入账或被引用的记录在此缺失'
    ELSE '一项检查未通过'
  END AS meaning_zh
FROM broken
ORDER BY subject, anchor
