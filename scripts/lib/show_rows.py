"""Rows of a query as a table, as records under each other when a table would be too wide, as CSV or as JSON lines."""
import csv
import io
import json
import re

ESCAPES = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}


def plain(value):
    """A cell as text: objects as compact JSON without their empty members."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(pruned(value), ensure_ascii=False)
    return str(value)


def pruned(value):
    if isinstance(value, dict):
        return {k: pruned(v) for k, v in value.items() if v is not None}
    return [pruned(v) for v in value] if isinstance(value, list) else value


def as_csv(names, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([plain(cell) for cell in row] for row in rows)
    return out.getvalue()


def as_json(names, rows):
    return "".join(json.dumps(dict(zip(names, row)), ensure_ascii=False, default=str) + "\n" for row in rows)


def as_table(names, rows, width=100, most=None):
    """At most `width` columns wide. Long cells are wrapped; more than fits so: each row as a record."""
    shown = rows if most is None else rows[:most]
    cells = [[plain(cell).translate(ESCAPES) for cell in row] for row in shown]
    natural = [max([len(n), *(len(row[i]) for row in cells)]) for i, n in enumerate(names)]
    room = width - 2 * (len(names) - 1)
    # What is narrow keeps its width; the wide ones share the rest.
    wide = [i for i, n in enumerate(natural) if n > 30]
    rest = room - sum(n for i, n in enumerate(natural) if i not in wide)
    if sum(natural) > room and (not wide or rest // len(wide) < 24):
        text = records(names, cells, width)
    else:
        widths = natural if sum(natural) <= room else shared(natural, wide, rest)
        text = grid(names, cells, widths)
    if len(rows) > len(shown):
        text += f"... and {len(rows) - len(shown)} more\n"
    return text + f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n"


def shared(natural, wide, rest):
    widths = list(natural)
    for done, i in enumerate(sorted(wide, key=lambda i: natural[i])):
        widths[i] = min(natural[i], rest // (len(wide) - done))
        rest -= widths[i]
    return widths


def grid(names, cells, widths):
    lines = ["  ".join(n.ljust(w) for n, w in zip(names, widths)).rstrip(), "  ".join("-" * w for w in widths)]
    for row in cells:
        parts = [wrap(cell, w) for cell, w in zip(row, widths)]
        for n in range(max(map(len, parts))):
            lines.append("  ".join((p[n] if n < len(p) else "").ljust(w) for p, w in zip(parts, widths)).rstrip())
    return "\n".join(lines) + "\n"


def records(names, cells, width):
    """Empty cells are left out: CloudTrail's records have many."""
    left = max(map(len, names))
    lines = []
    for number, row in enumerate(cells, 1):
        lines.append(f"-- {number} " + "-" * (width - 4 - len(str(number))))
        for n, cell in zip(names, row):
            for i, part in enumerate(wrap(cell, width - left - 2) if cell else []):
                lines.append(f"{n if i == 0 else '':<{left}}  {part}")
    return "\n".join(lines) + "\n"


def wrap(text, width):
    """Lines of at most `width`, broken after blanks and commas where there are any: most long cells are JSON."""
    lines, line = [], ""
    for word in re.findall(r"[^\s,]*[\s,]*", text):
        while word:
            if len((line + word).rstrip()) <= width:
                line, word = line + word, ""
            elif line:
                lines.append(line.rstrip())
                line = ""
            else:
                lines.append(word[:width])
                word = word[width:]
    return [*lines, line.rstrip()] if line or not lines else lines
