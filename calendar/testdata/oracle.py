"""Answers questions about service time by plain means, on the standard library alone.

Reads one JSON object {"zones": [...], "policies": [{"shifts": [[weekday, start, end]], "holidays": ["2026-12-25"]}]},
weekdays counted from Monday = 0, times in seconds after 00:00, and writes, for each zone and policy, what it finds around
each change of the clock from 2000 to 2037: [change, [[opens, closes], ...], between, [[seconds, due], ...]].
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(second):
    return EPOCH + timedelta(seconds=second)


def offset(zone, second):
    return int(utc(second).astimezone(zone).utcoffset().total_seconds())


def changes(zone):
    """The seconds at which the offset changes, found by looking every day and halving."""
    day = 86400
    second = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(2038, 1, 1, tzinfo=UTC).timestamp())
    before = offset(zone, second)
    while second < end:
        after = offset(zone, second + day)
        if after != before:
            low, high = second, second + day
            while high - low > 1:
                middle = (low + high) // 2
                if offset(zone, middle) == before:
                    low = middle
                else:
                    high = middle
            yield high
        second, before = second + day, after


@lru_cache(maxsize=None)
def instant(zone, local):
    """The first second at which the clock shows local (naive) or later: PEP 495 tells the cases apart."""
    found = []
    for fold in (0, 1):
        second = int((local - local.replace(tzinfo=zone, fold=fold).utcoffset() - datetime(1970, 1, 1)).total_seconds())
        if utc(second).astimezone(zone).replace(tzinfo=None) == local:
            found.append(second)
    if found:
        return min(found)
    # Skipped. The two readings lie on either side of the change.
    ends = sorted(
        int((local - local.replace(tzinfo=zone, fold=fold).utcoffset() - datetime(1970, 1, 1)).total_seconds())
        for fold in (0, 1)
    )
    low, high = ends
    before = offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def intervals(zone, policy, first, days):
    """The service time of some days, joined where it touches."""
    joined = []
    for n in range(days):
        day = first + timedelta(days=n)
        if day.isoformat() in policy["holidays"]:
            continue
        for weekday, start, end in policy["shifts"]:
            if weekday != day.weekday():
                continue
            midnight = datetime(day.year, day.month, day.day)
            opens = instant(zone, midnight + timedelta(seconds=start))
            closes = instant(zone, midnight + timedelta(seconds=end))
            if opens >= closes:
                continue
            if joined and joined[-1][1] >= opens:
                joined[-1][1] = max(joined[-1][1], closes)
            else:
                joined.append([opens, closes])
    return joined


def due(spans, start, seconds):
    for opens, closes in spans:
        opens = max(opens, start)
        if closes <= opens:
            continue
        if seconds <= closes - opens:
            return opens + seconds
        seconds -= closes - opens
    return None


def main():
    question = json.load(sys.stdin)
    for policy in question["policies"]:
        policy["holidays"] = set(policy["holidays"] or [])
    answers = []
    for name in question["zones"]:
        zone = ZoneInfo(name)
        moments = list(changes(zone))
        for policy in question["policies"]:
            around = []
            for change in moments:
                a, b = change - 2 * 86400 - 1234, change + 2 * 86400 + 4321
                first = utc(change).astimezone(zone).date() - timedelta(days=6)
                spans = intervals(zone, policy, first, 20)
                clipped = [[max(o, a), min(c, b)] for o, c in spans if max(o, a) < min(c, b)]
                adds = [[s, due(spans, a, s)] for s in (1, 3600, 8 * 3600, 20 * 3600 + 7, 32 * 3600)]
                around.append([change, clipped, sum(c - o for o, c in clipped), adds])
            answers.append({"zone": name, "around": around})
    json.dump(answers, sys.stdout)


main()
