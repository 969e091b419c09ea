-- code     = "XXX-000"
-- title    = "A reading is below zero"
-- status   = "draft"
-- since    = "0.1"
-- severity = "note"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["name the law or standard"]
-- innocent = ["the meter also counts what is given back"]
-- answer   = "Say what the subject can do about it."
-- expires  = "365d"
-- message_en = "{subject} read {amount} {unit} at {period_end}"
-- message_zh = "{subject} 在 {period_end} 的读数为 {amount} {unit}"
SELECT device AS subject, read_at AS anchor, read_at AS period_start, read_at AS period_end,
  make_array(content_id) AS evidence, 1 AS evidence_count, amount, unit
FROM meter_readings
WHERE amount < 0 AND quantity <> 'electricity_export'
ORDER BY subject, anchor
