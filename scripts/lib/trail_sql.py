"""CloudTrail log files as the SQL table that Athena's DDL describes, in DuckDB.

scripts/query, scripts/picture and scripts/demo use it. The DDL is parsed into a view: one branch a partition, each reading
the log files of one day. DuckDB matches the keys of JSON by exact case, DDL does not care, so members are read under the
names that CloudTrail writes and renamed to those that the DDL gives them.
"""
import re
from pathlib import Path

import duckdb

SQL = Path(__file__).resolve().parent.parent / "sql"

# As CloudTrail spells them; ARN is upper case only inside resources.
SPELLING = {name.lower(): name for name in (
    "eventVersion userIdentity type principalId arn accountId invokedBy accessKeyId userName sessionContext attributes "
    "mfaAuthenticated creationDate sessionIssuer webIdFederationData federatedProvider sourceIdentity ec2RoleDelivery "
    "onBehalfOf userId identityStoreArn credentialId eventTime eventSource eventName awsRegion sourceIPAddress userAgent "
    "errorCode errorMessage requestParameters responseElements additionalEventData requestID eventID readOnly resources "
    "eventType apiVersion managementEvent recipientAccountId sharedEventID serviceEventDetails vpcEndpointId "
    "vpcEndpointAccountId eventCategory tlsDetails tlsVersion cipherSuite clientProvidedHostHeader keyExchange "
    "sessionCredentialFromConsole addendum annotation").split()}

SCALARS = {"string": "VARCHAR", "varchar": "VARCHAR", "boolean": "BOOLEAN", "int": "INTEGER", "integer": "INTEGER",
           "bigint": "BIGINT", "double": "DOUBLE", "timestamp": "TIMESTAMP"}


class SqlError(Exception):
    """What the user can put right: said in one line."""


def repair(sql):
    """Copies of a page have typographic quotes and dashes, and some a proxy's suffix in host names: as they were."""
    sql = re.sub("[\u2018\u2019]", "'", sql)
    sql = re.sub("[\u201c\u201d]", '"', sql).replace("\u2013-", "--")
    return re.sub(r"(amazonaws\.com)\.rproxy\.[\w.-]+", r"\1", sql)


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def name(text):
    return '"' + text.replace('"', '""') + '"'


class Ddl:
    """CREATE EXTERNAL TABLE: table, columns as (name, type), names of the partition columns. A type is a DuckDB scalar's
    name, ("array", type) or ("struct", [(name, type), ...])."""

    def __init__(self, text):
        head = re.search(r"create\s+external\s+table\s+(?:if\s+not\s+exists\s+)?([\w.`]+)\s*\(", text, re.I)
        if not head:
            raise SqlError("this is no CREATE EXTERNAL TABLE statement with a list of columns")
        self.table = head[1].strip("`")
        self.tokens = re.findall(r"'[^']*'|[\w`]+|[^\s\w`]", text[head.end():])
        self.columns = self.fields(")", None)
        self.partitions = []
        rest = " ".join(self.tokens)
        partitioned = re.search(r"partitioned by \((.*?)\)", rest, re.I)
        if partitioned:
            self.partitions = [part.split()[0].strip("`") for part in partitioned[1].split(",")]

    def take(self, wanted=None):
        token = self.tokens.pop(0) if self.tokens else "the end"
        if wanted and token.lower() != wanted:
            raise SqlError(f"the DDL has {token!r} where {wanted!r} belongs")
        return token

    def fields(self, end, colon):
        """name type, ... up to `end`; inside STRUCT<> a colon stands between name and type."""
        found = []
        while True:
            field = self.take().strip("`")
            if colon:
                self.take(colon)
            found.append((field, self.type()))
            if self.tokens and self.tokens[0].lower() == "comment":
                while self.tokens and self.tokens[0] not in (",", end):
                    self.take()
            token = self.take()
            if token == end:
                return found
            if token != ",":
                raise SqlError(f"the DDL has {token!r} after the column or member {field!r}")

    def type(self):
        word = self.take().lower()
        if word == "struct":
            self.take("<")
            return ("struct", self.fields(">", ":"))
        if word == "array":
            self.take("<")
            inner = self.type()
            self.take(">")
            return ("array", inner)
        if word not in SCALARS:
            raise SqlError(f"the DDL has the type {word!r}, which is not read here")
        return SCALARS[word]


def written(field, inside=None):
    """The name that CloudTrail gives to a column, or to a member inside one."""
    return "ARN" if (field.lower(), inside) == ("arn", "resources") else SPELLING.get(field.lower(), field)


def type_as_written(kind, inside=None):
    """The type with CloudTrail's names, for reading JSON."""
    if isinstance(kind, str):
        return kind
    if kind[0] == "array":
        return type_as_written(kind[1], inside) + "[]"
    return "STRUCT(" + ", ".join(f"{name(written(f, inside))} {type_as_written(t, f.lower())}" for f, t in kind[1]) + ")"


def type_as_named(kind):
    """The type with the DDL's names."""
    if isinstance(kind, str):
        return kind
    if kind[0] == "array":
        return type_as_named(kind[1]) + "[]"
    return "STRUCT(" + ", ".join(f"{name(field)} {type_as_named(inner)}" for field, inner in kind[1]) + ")"


def renamed(kind, value, inside=None):
    """The expression that gives a value read under CloudTrail's names the DDL's names. (A cast does not: to DuckDB names
    that differ by case are the same.)"""
    if isinstance(kind, str):
        return value
    if kind[0] == "array":
        return value if isinstance(kind[1], str) else f"list_transform({value}, lambda e: {renamed(kind[1], 'e', inside)})"
    members = ", ".join(f"{literal(f)}: {renamed(t, f'{value}.{name(written(f, inside))}', f.lower())}" for f, t in kind[1])
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {{{members}}} END"


class Trail:
    """The log files under one trail directory: all accounts and Regions, or one."""

    def __init__(self, folder, account=None, region=None, bucket="trail"):
        self.root = Path(folder)
        self.bucket = bucket
        self.scopes = sorted(
            (path.parent.parent.name, path.name) for path in self.root.glob("AWSLogs/*/CloudTrail/*")
            if path.is_dir() and account in (None, path.parent.parent.name) and region in (None, path.name))
        self.days = sorted({(year.name, month.name, day.name)
                            for scope in self.scopes
                            for year in self.folder(*scope).glob("[0-9]*")
                            for month in year.glob("[0-9]*")
                            for day in month.glob("[0-9]*")})
        if not self.days:
            raise SqlError(f"no log files under {self.root}/AWSLogs" +
                           (f" for account {account or 'any'}, Region {region or 'any'}" if account or region else ""))

    def folder(self, account, region):
        return self.root / "AWSLogs" / account / "CloudTrail" / region

    def files(self, day):
        return [path for scope in self.scopes for path in sorted(self.folder(*scope).joinpath(*day).glob("*.json.gz"))]

    def fill(self, sql):
        """What the statements leave open for everyone to fill in: bucket, account, Region."""
        account, region = self.scopes[0]
        sql = re.sub(r"(?i)\b(cloudtrail_logs_)<[^<>]*>", rf"\g<1>{re.sub(r'[^A-Za-z0-9]', '_', self.bucket)}", sql)
        sql = re.sub(r"(?i)s3://<[^<>/]*>", f"s3://{self.bucket}", sql)
        sql = re.sub(r"(?i)<aws[_ ]account[_ -](?:id|number)>|<account-(?:id|number)>", account, sql)
        return re.sub(r"(?i)<region>", region, sql)


class Table:
    """A DuckDB connection in which the DDL's table is a view over the trail."""

    def __init__(self, trail, ddl=None):
        self.trail = trail
        self.db = duckdb.connect()
        self.db.execute("SET enable_progress_bar = false")
        self.db.execute("CREATE MACRO json_extract_scalar(j, p) AS json_extract_string(j, p)")
        self.named = []  # partitions that ALTER TABLE names; none: every day that has log files
        self.create(ddl or (SQL / "create_table.sql").read_text())

    def create(self, ddl):
        self.ddl = Ddl(self.trail.fill(repair(ddl)))
        self.named = []
        self.show()

    def add_partition(self, statement):
        """ALTER TABLE t ADD PARTITION (year='2019', ...) LOCATION 's3://...': the location is looked up in the trail."""
        statement = self.trail.fill(repair(statement))
        found = re.findall(r"partition\s*\(([^)]*)\)(?:\s*location\s*'([^']*)')?", statement, re.I)
        if not found:
            raise SqlError("only ALTER TABLE ... ADD PARTITION (...) LOCATION '...' is understood")
        for spec, location in found:
            values = {key.lower(): value for key, value in re.findall(r"(\w+)\s*=\s*'([^']*)'", spec)}
            if set(values) != {column.lower() for column in self.ddl.partitions}:
                raise SqlError(f"the partition must say {', '.join(self.ddl.partitions)}")
            files = None
            if location:
                if "/AWSLogs/" not in location:
                    raise SqlError(f"no AWSLogs in the partition's location {location!r}")
                folder = self.trail.root / "AWSLogs" / location.split("/AWSLogs/", 1)[1]
                files = sorted(folder.glob("*.json.gz"))
            self.named.append((values, files))
        self.show()

    def show(self):
        """Makes the view again from the DDL and the partitions."""
        partitions = self.named or [(dict(zip(("year", "month", "day"), day)), None) for day in self.trail.days]
        record = type_as_written(("struct", self.ddl.columns))
        columns = ", ".join(f"{renamed(t, 'r.' + name(written(c)), c.lower())} AS {name(c)}" for c, t in self.ddl.columns)
        branches = []
        for values, files in partitions:
            if files is None:
                files = self.trail.files(tuple(values[k] for k in ("year", "month", "day")))
            if not files:
                continue
            constants = "".join(f", {literal(values[c.lower()])} AS {name(c)}" for c in self.ddl.partitions)
            branches.append(f"SELECT {columns}{constants} FROM (SELECT unnest({name('Records')}) AS r FROM read_json("
                            f"[{', '.join(literal(f) for f in files)}], columns={{'Records': {literal(record + '[]')}}}, "
                            "maximum_object_size=268435456))")
        if not branches:
            none = ", ".join(f"CAST(NULL AS {type_as_named(t)}) AS {name(c)}" for c, t in self.ddl.columns)
            none += "".join(f", CAST(NULL AS VARCHAR) AS {name(c)}" for c in self.ddl.partitions)
            branches = [f"SELECT {none} WHERE false"]
        self.db.execute(f"CREATE OR REPLACE VIEW {name(self.ddl.table)} AS " + " UNION ALL ".join(branches))

    def run(self, sql):
        """Runs statements, one or several; yields (statement, names, rows) of each that has a result."""
        for statement in split(self.trail.fill(repair(sql))):
            if re.match(r"create\s+external\s+table\b", statement, re.I):
                self.create(statement)
            elif re.match(r"alter\s+table\b", statement, re.I):
                self.add_partition(statement)
            else:
                try:
                    cursor = self.db.execute(statement)
                    names, rows = [column[0] for column in cursor.description], cursor.fetchall()
                except duckdb.Error as error:
                    raise SqlError(str(error)) from None
                yield statement, names, rows

    def rows(self, sql):
        """The rows of one SELECT."""
        return next(self.run(sql))[2]


def split(sql):
    """Statements, without comments: ';' inside quotes does not end one."""
    found, current = [], ""
    for token in re.findall(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|;|[^;'\"-]+|.", sql, flags=re.S):
        if token == ";":
            found.append(current.strip())
            current = ""
        elif not token.startswith("--"):
            current += token
    found.append(current.strip())
    return [statement for statement in found if statement]


def blog_query(number, date=None, table=None, key=None):
    """The text of one of the four queries, with the reader's own date, table and key put in."""
    sql = (SQL / f"query{number}.sql").read_text()
    if date:
        for column, value in zip(("year", "month", "day"), date):
            sql = re.sub(rf"\b{column}='\d+'", f"{column}={literal(value)}", sql)
    if table:
        sql = sql.replace("'your-table-name'", literal(table))
    if key:
        sql = sql.replace("'arn:aws:kms:your-region:your-account-number:key/your-key-id'", literal(key))
    return sql
