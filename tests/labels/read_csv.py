"""Reads a table of labels as a printer's shop would: Python's csv, and Biip for GS1's syntaxes.

    python read_csv.py LABELS.csv HOST

Prints one JSON object a row: the elements of the element string as [AI, value], which must be
those of the Digital Link. Fails on the first row that says two things.
"""

import csv
import json
import sys

from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message

COLUMNS = ["serial", "element_string", "digital_link", "order", "number"]


def elements(parsed):
    return [[element.ai.ai, element.value] for element in parsed.element_strings]


def main():
    path, host = sys.argv[1:]
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file, strict=True)
        if table.fieldnames != COLUMNS:
            sys.exit(f"columns {table.fieldnames}")
        for row in table:
            # FNC1 is written ^, also the first; a scanner sends GS, and none at the front.
            message = row["element_string"].removeprefix("^").replace("^", "\x1d")
            of_message = elements(GS1Message.parse(message))
            of_link = elements(GS1DigitalLinkURI.parse(row["digital_link"]))
            if of_message != of_link or not row["digital_link"].startswith(host + "/01/"):
                sys.exit(f"{of_message} in the element string, {of_link} in the link of {row}")
            told = {"elements": of_link, "serial": row["serial"], "number": int(row["number"])}
            print(json.dumps(told))


main()
