-- code     = "LOG-001"
-- title    = "A proof does not hold"
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
  CASE WHEN kind IN ('withheld', 'bad_chain', 'bad_tile') THEN 'warning' ELSE 'error' END AS severity,
  kind,
  CASE kind
    WHEN 'bad_audience' THEN 'an entry states another audience than was signed'
    WHEN 'bad_body' THEN 'stored bytes are not what their content id names'
    WHEN 'bad_chain' THEN 'a batch does not name the one before it'
    WHEN 'bad_cosignature' THEN 'a witness cosigned two histories, or a smaller tree after a larger one'
    WHEN 'bad_proof' THEN 'tiles, entries, receipts or the head do not fit the checkpoint'
    WHEN 'bad_signature' THEN 'a signature does not verify'
    WHEN 'bad_tile' THEN 'a member says that it was served other entries than the log signed'
    WHEN 'damaged' THEN 'a file is not what was written'
    WHEN 'fork' THEN 'two contents under one identity'
    WHEN 'key_not_in_force' THEN 'a key was used outside its time'
    WHEN 'no_quorum' THEN 'fewer witnesses signed than the policy asks for'
    WHEN 'role_missing' THEN 'the issuer does not have the role that this takes'
    WHEN 'shrink' THEN 'a log became smaller, or went back in time'
    WHEN 'split' THEN 'a log showed two histories'
    WHEN 'unlogged' THEN 'an attestation stands in no log'
    WHEN 'withheld' THEN 'evidence that is cited or logged is not at hand'
    ELSE 'a proof does not hold'
  END AS meaning_en,
  CASE kind
    WHEN 'bad_audience' THEN '条目所述的公开范围与签名内容不符'
    WHEN 'bad_body' THEN '所存字节与其内容标识不符'
    WHEN 'bad_chain' THEN '一批数据未指明其前一批'
    WHEN 'bad_cosignature' THEN '见证方联署了两段不同历史，或在较大的树之后联署了较小的树'
    WHEN 'bad_proof' THEN '数据块、条目、回执或日志头与检查点不符'
    WHEN 'bad_signature' THEN '签名验证不通过'
    WHEN 'bad_tile' THEN '一成员称所获条目与日志签署的不符'
    WHEN 'damaged' THEN '文件内容与写入时不符'
    WHEN 'fork' THEN '同一标识下有两份不同内容'
    WHEN 'key_not_in_force' THEN '密钥在其有效期之外被使用'
    WHEN 'no_quorum' THEN '见证方数量少于策略要求'
    WHEN 'role_missing' THEN '签发方不具备所需角色'
    WHEN 'shrink' THEN '日志变短或时间倒退'
    WHEN 'split' THEN '日志呈现了两段不同历史'
    WHEN 'unlogged' THEN '声明未记入任何日志'
    WHEN 'withheld' THEN '被引用或已记录的证据缺失'
    ELSE '证明不成立'
  END AS meaning_zh
FROM broken
ORDER BY subject, anchor
