"""sarif.py FILE: reads a report as SARIF 2.1.0 with models that are not ours.

Whatever the format does not know is lost in the models; so what they write again must hold all
that was read. Prints each fault on a line; exit 1 if there are any.
"""

import json
import sys

from sarif_pydantic import Sarif


def lost(read, written, at):
    """Paths of what stands in `read` and not so in `written`."""
    if isinstance(read, dict) and isinstance(written, dict):
        for name, value in read.items():
            yield from lost(value, written.get(name), f"{at}/{name}")
    elif isinstance(read, list) and isinstance(written, list) and len(read) == len(written):
        for place, (one, other) in enumerate(zip(read, written)):
            yield from lost(one, other, f"{at}/{place}")
    elif read != written:
        yield f"{at}: {read!r} is no {written!r}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    models = Sarif.model_validate(report)
    written = json.loads(models.model_dump_json(by_alias=True, exclude_none=True))
    faults = list(lost(report, written, ""))
    print("\n".join(faults) or "a SARIF log")
    sys.exit(1 if faults else 0)


main()
