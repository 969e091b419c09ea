// Whether a file is OpenAPI 3.1: `node validate.mjs FILE`. Prints the version, or each fault on a
// line and ends with 1. Checks the document against the specification's own schema, and that every
// reference resolves.
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'

const validator = new Validator()
const result = await validator.validate(JSON.parse(readFileSync(process.argv[2], 'utf8')))
if (result.valid) {
  validator.resolveRefs()
  console.log(`OpenAPI ${validator.version}`)
} else {
  const faults = Array.isArray(result.errors) ? result.errors : [{ message: result.errors }]
  for (const fault of faults) console.log(`${fault.instancePath ?? ''} ${fault.message}`)
  process.exitCode = 1
}
