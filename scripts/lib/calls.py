"""What the pictures are drawn from: calls to KMS in the log files, each with its time, operation, DynamoDB table and outcome."""
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

# In this order they are stacked and listed: the rare ones at the bottom, where they are seen.
OPERATIONS = ["CreateGrant", "GenerateDataKey", "RetireGrant", "Encrypt", "ReEncrypt", "DescribeKey", "Decrypt"]
OTHER = "other operations"
NO_TABLE = "no table named"

STEPS = [timedelta(**step) for step in (
    {"seconds": 1}, {"seconds": 5}, {"seconds": 15}, {"minutes": 1}, {"minutes": 2}, {"minutes": 5}, {"minutes": 10},
    {"minutes": 15}, {"minutes": 30}, {"hours": 1}, {"hours": 3}, {"hours": 6}, {"days": 1}, {"days": 7})]


@dataclass
class Call:
    when: datetime
    operation: str
    table: str
    failed: bool


@dataclass
class Calls:
    calls: list
    tables: list  # most calls first, NO_TABLE last
    operations: list  # those that occur, as OPERATIONS has them
    start: datetime
    step: timedelta
    bins: int

    def bin(self, call):
        return int((call.when - self.start) / self.step)

    def times(self):
        return [self.start + self.step * i for i in range(self.bins)]

    def count(self, table, operation, failed=None):
        """Calls in each bin."""
        counts = Counter(self.bin(c) for c in self.calls
                         if c.table == table and c.operation == operation and failed in (None, c.failed))
        return [counts[i] for i in range(self.bins)]


def context_of(parameters):
    """The encryption context: of the call itself, or the one that a new grant is bound to."""
    constraints = parameters.get("constraints") or {}
    return (parameters.get("encryptionContext") or constraints.get("encryptionContextSubset")
            or constraints.get("encryptionContextEquals") or {})


def read_calls(table, date=None):
    """All calls to KMS, also those that people made themselves. A grant that is retired belongs to the table that it was
    created for."""
    where = "eventsource = 'kms.amazonaws.com'"
    if date:
        where += f" AND year || '-' || month || '-' || day = '{date}'"
    rows = table.rows("SELECT eventtime, eventname, errorcode, requestparameters, responseelements, additionaleventdata "
                      f"FROM {table.ddl.table} WHERE {where} ORDER BY eventtime")
    grants, calls = {}, []
    for time, operation, error, *texts in rows:
        parameters, response, additional = (json.loads(text) if text else {} for text in texts)
        grant = response.get("grantId") or parameters.get("grantId") or additional.get("grantId")
        name = context_of(parameters).get("aws:dynamodb:tableName") or grants.get(grant) or NO_TABLE
        if operation == "CreateGrant" and grant:
            grants[grant] = name
        calls.append(Call(datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc), operation, name,
                          error is not None))
    return calls


def arrange(calls, most_bins=110, most_tables=8):
    """Puts calls into bins of a round length, and rare operations and tables together."""
    for call in calls:
        if call.operation not in OPERATIONS:
            call.operation = OTHER
    totals = Counter(call.table for call in calls)
    tables = sorted((t for t in totals if t != NO_TABLE), key=lambda t: (-totals[t], t))
    if len(tables) > most_tables:
        rest = f"{len(tables) - most_tables + 1} other tables"
        for call in calls:
            if call.table in tables[most_tables - 1:]:
                call.table = rest
        tables = [*tables[:most_tables - 1], rest]
    if NO_TABLE in totals:
        tables.append(NO_TABLE)
    first, last = calls[0].when, calls[-1].when
    step = next((s for s in STEPS if (last - first) / s < most_bins - 1), STEPS[-1])
    midnight = first.replace(hour=0, minute=0, second=0)
    start = midnight + (first - midnight) // step * step
    seen = {call.operation for call in calls}
    return Calls(calls, tables, [o for o in [*OPERATIONS, OTHER] if o in seen], start, step,
                 int((last - start) / step) + 1)


def spell_step(step):
    seconds = int(step.total_seconds())
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            n = seconds // unit
            return f"{n} {name}s" if n > 1 else f"1 {name}"
    return str(step)


def spell_period(first, last):
    day = f"{first.day} {first:%B %Y}"
    if first.date() == last.date():
        return f"{day}, {first:%H:%M} to {last:%H:%M} UTC"
    return f"{day} to {last.day} {last:%B %Y}"
