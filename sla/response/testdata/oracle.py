"""Reckons service time on a 5x8 clock by plain means, on the standard library alone.

Reads {"zones": [...], "spans": [[start, end], ...]}, in seconds since 1970, and writes for each zone the seconds of each span
that are on the hours of 09:00 to 17:00 local time, Monday to Friday. It walks through the days of the wall clock, and finds
the instants of their hours through zoneinfo; no zone here changes its clock between 09:00 and 17:00.
"""

import json
import sys
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo


def served(zone, start, end):
    total = 0
    day = datetime.fromtimestamp(start, timezone.utc).astimezone(zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(end, timezone.utc).astimezone(zone).date()
    while day <= last:
        if day.weekday() < 5:
            opens = datetime.combine(day, time(9), zone).timestamp()
            if datetime.fromtimestamp(opens, zone).date() != day:
                day += timedelta(days=1)  # it never came
                continue
            closes = datetime.combine(day, time(17), zone).timestamp()
            total += max(0, min(closes, end) - max(opens, start))
        day += timedelta(days=1)
    return int(total)


def main():
    question = json.load(sys.stdin)
    json.dump([[served(ZoneInfo(z), *s) for s in question["spans"]] for z in question["zones"]], sys.stdout)


main()
