"""Writes one set of the shared real series as a table `meter_readings`, for `hallmark-verify evaluate`:

    python3 tests/series/readings.py FOLDER steel|homes|regions|turbine > clean.csv

FOLDER holds the files as their README describes them. Amounts become whole Wh, of the stack thousandths of a
milligram in a cubic metre. Times are taken as UTC: only their order and their place in the day count. The turbine's hours
were published without times; they are counted from the first of its first year."""

import csv
import datetime
import sys

HOUR = datetime.timedelta(hours=1)


def rows_of(folder, name):
    with open(f"{folder}/{name}", newline="") as file:
        yield from csv.DictReader(file)


def whole(text, factor):
    return round(float(text) * factor)


def steel(folder):
    for row in rows_of(folder, "steel_plant_15min_2018_jan_sep.csv"):
        at = datetime.datetime.fromisoformat(row["period_end"])
        yield "steel", "electricity", "Wh", at, 900, whole(row["usage_kwh"], 1000), 0, "sum"


def homes(folder):
    for row in rows_of(folder, "citylearn12_homes_hourly.csv"):
        at = datetime.datetime.fromisoformat(row["ts"]) + HOUR
        for number in range(1, 13):
            amount = whole(row[f"b{number:02}_load_kwh"], 1000)
            yield f"home-{number:02}", "electricity", "Wh", at, 3600, amount, 0, "sum"


def regions(folder):
    for row in rows_of(folder, "us_regional_fossil_load_hourly_2024.csv"):
        day = datetime.datetime(int(row["year"]), int(row["month"]), int(row["day"]))
        at = day + (int(row["hour"]) + 1) * HOUR
        for name in ("NE", "RM", "SW"):
            yield f"region-{name}", "electricity", "Wh", at, 3600, whole(row[name], 1_000_000), 0, "sum"


def turbine(folder):
    at = None
    for row in rows_of(folder, "gas_turbine_hourly_2011_2013.csv"):
        at = (at or datetime.datetime(int(row["year"]), 1, 1)) + HOUR
        yield "turbine", "electricity", "Wh", at, 3600, whole(row["TEY"], 1_000_000), 0, "sum"
        yield "turbine-stack", "nox_stack", "mg", at, 3600, whole(row["NOX"], 1000), -3, "mean"


def main(folder, name):
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["device", "quantity", "unit", "read_at", "interval_s", "amount", "scale_e10", "statistic"])
    for device, quantity, unit, at, *rest in SETS[name](folder):
        out.writerow([device, quantity, unit, f"{at.isoformat()}Z", *rest])


SETS = {"steel": steel, "homes": homes, "regions": regions, "turbine": turbine}

if __name__ == "__main__":
    main(*sys.argv[1:])
