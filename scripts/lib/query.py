"""SQL over delivered log files. scripts/query runs it and holds its help."""
import argparse
import os
import shutil
import sys
from pathlib import Path

import show_rows
from trail_sql import SqlError, Table, Trail, blog_query, literal

FROM_DYNAMODB = ("eventsource = 'kms.amazonaws.com' AND sourceipaddress = 'dynamodb.amazonaws.com' "
                 "AND year || '-' || month || '-' || day = ")


def default_trail():
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return os.environ.get("KMSD_TRAIL_DIR") or Path(state) / "kmsd" / "trail"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/query", add_help=False)
    parser.add_argument("--trail", default=default_trail())
    parser.add_argument("--account")
    parser.add_argument("--region")
    parser.add_argument("--date")
    parser.add_argument("--table")
    parser.add_argument("--key")
    parser.add_argument("--file")
    parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
    parser.add_argument("--width", type=int, default=shutil.get_terminal_size((100, 24)).columns)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("sql", nargs="?")
    args = parser.parse_args()
    if (args.sql is None) == (args.file is None):
        parser.error("say what to ask: 1, 2, 3, 4, all, SQL or --file (see --help)")
    return args


def chosen(table, date, column, what):
    """The value that DynamoDB's calls to KMS name most, for a query whose user named none."""
    rows = table.rows(f"SELECT {column} AS v, count(*) FROM {table.ddl.table} WHERE {FROM_DYNAMODB}{literal('-'.join(date))} "
                     "GROUP BY v HAVING v IS NOT NULL ORDER BY 2 DESC, 1 LIMIT 1")
    if not rows:
        return None
    print(f"query: {what}: {rows[0][0]}", file=sys.stderr)
    return rows[0][0]


def statements(args, trail, table):
    if args.file:
        return [Path(args.file).read_text(encoding="utf-8")]
    if args.sql == "-":
        return [sys.stdin.read()]
    numbers = [1, 2, 3, 4] if args.sql == "all" else [int(args.sql)] if args.sql in ("1", "2", "3", "4") else []
    if not numbers:
        return [args.sql]
    date = tuple(args.date.split("-")) if args.date else trail.days[-1]
    if len(date) != 3:
        raise SqlError(f"--date is YYYY-MM-DD, not {args.date!r}")
    name, key = args.table, args.key
    if 3 in numbers and not name:
        name = chosen(table, date, "json_extract_scalar(requestparameters, '$.encryptionContext.aws:dynamodb:tableName')",
                      "--table is not given; the one with most calls")
    if 4 in numbers and not key:
        key = chosen(table, date, "resources[1].arn", "--key is not given; the one that is used most")
    return [blog_query(number, date, name, key) for number in numbers]


def show(args, statement, names, rows):
    if args.show:
        print(statement + ";\n")
    if args.format == "csv":
        print(show_rows.as_csv(names, rows), end="")
    elif args.format == "json":
        print(show_rows.as_json(names, rows), end="")
    else:
        print(show_rows.as_table(names, rows, args.width, args.rows))


def main():
    args = arguments()
    try:
        trail = Trail(args.trail, args.account, args.region)
        table = Table(trail)
        for sql in statements(args, trail, table):
            for statement, names, rows in table.run(sql):
                show(args, statement, names, rows)
    except (SqlError, OSError) as error:
        sys.exit(f"query: {error}")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
