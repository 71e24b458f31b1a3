"""The picture of calls to KMS: over time and by operation, per table. scripts/picture runs it and holds its help."""
import argparse
import os
import shutil
import sys
from pathlib import Path

from calls import NO_TABLE, OTHER, arrange, read_calls, spell_period, spell_step
from trail_sql import SqlError, Table, Trail

# Okabe and Ito's colours: told apart with any kind of colour vision. In the legend's order.
COLOURS = {"Decrypt": "#0072B2", "GenerateDataKey": "#009E73", "CreateGrant": "#E69F00", "RetireGrant": "#D55E00",
           "DescribeKey": "#56B4E9", "Encrypt": "#CC79A7", "ReEncrypt": "#F0E442", OTHER: "#8C8C8C"}
INK, SOFT, RULE = "#1F2933", "#616E7C", "#E4E7EB"


def title_of(data):
    failed = sum(call.failed for call in data.calls)
    text = f"{spell_period(data.calls[0].when, data.calls[-1].when)}   ·   {len(data.calls)} calls"
    if failed:
        text += f", {failed} of them refused"
    return "Calls to KMS over time and by operation, per DynamoDB table", f"{text}   ·   one bar is {spell_step(data.step)}"


def draw(data, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": RULE, "text.color": INK,
                         "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": INK, "hatch.linewidth": 1.2})
    rows = len(data.tables)
    height = 1.95 + 1.75 * rows
    figure, axes = plt.subplots(rows, 2, figsize=(13, height), squeeze=False, sharex="col",
                                gridspec_kw={"width_ratios": [3.1, 1]})
    figure.subplots_adjust(left=0.06, right=0.965, top=1 - 1.6 / height, bottom=0.68 / height, wspace=0.27, hspace=0.42)
    top = max(sum(column) for table in data.tables
              for column in zip(*(data.count(table, o) for o in data.operations)))
    for row, table in enumerate(data.tables):
        over_time(axes[row][0], data, table, top)
        by_operation(axes[row][1], data, table)
    time_axis(axes[-1][0], data)
    axes[0][0].set_ylabel("calls", labelpad=6)
    heading(figure, data, height)
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)


def heading(figure, data, height):
    from matplotlib.patches import Patch
    title, subtitle = title_of(data)
    figure.text(0.06, 1 - 0.38 / height, title, fontsize=16, fontweight="bold", va="center")
    figure.text(0.06, 1 - 0.70 / height, subtitle, fontsize=10.5, color=SOFT, va="center")
    keys = [Patch(facecolor=COLOURS[o], label=o) for o in COLOURS if o in data.operations]
    if any(call.failed for call in data.calls):
        keys.append(Patch(facecolor="white", edgecolor=INK, hatch="/////", linewidth=0.6, label="refused"))
    figure.legend(handles=keys, loc="center left", bbox_to_anchor=(0.053, 1 - 1.02 / height), ncol=len(keys),
                  frameon=False, handlelength=1.1, handleheight=1.1, columnspacing=1.6, borderpad=0, fontsize=10)


def over_time(ax, data, table, top):
    from matplotlib import dates
    from matplotlib.ticker import MaxNLocator
    times = dates.date2num(data.times())
    width = data.step.total_seconds() / 86400
    base = [0] * data.bins
    for operation in data.operations:
        # Refused calls stand on the others of their kind, hatched.
        for failed in (False, True):
            counts = data.count(table, operation, failed)
            if any(counts):
                shown = [i for i, n in enumerate(counts) if n]
                ax.bar([times[i] for i in shown], [counts[i] for i in shown], width * 0.86, [base[i] for i in shown],
                       align="edge", color="white" if failed else COLOURS[operation], zorder=2,
                       edgecolor=COLOURS[operation] if failed else "none", hatch="/////" if failed else None, linewidth=0.6)
            base = [b + n for b, n in zip(base, counts)]
    ax.set_title(table, loc="left", fontsize=12, fontweight="bold", color=SOFT if table == NO_TABLE else INK, pad=7,
                 style="italic" if table == NO_TABLE else "normal")
    ax.set_ylim(0, top * 1.08)
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.grid(axis="y", color=RULE, linewidth=0.8, zorder=0)
    ax.tick_params(length=0)
    for side in ("top", "left", "right"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(SOFT)


def by_operation(ax, data, table):
    """Only the operations that this table has, the most frequent first; every panel has the room of the fullest."""
    def counted(of):
        found = [(o, sum(data.count(of, o, False)), sum(data.count(of, o, True))) for o in data.operations]
        return sorted((row for row in found if row[1] + row[2]), key=lambda row: -row[1] - row[2])
    totals = counted(table)
    slots = max(len(counted(t)) for t in data.tables)
    most = max(ok + bad for t in data.tables for _, ok, bad in counted(t))
    for y, (operation, ok, bad) in enumerate(totals):
        ax.barh(y, ok, 0.66, color=COLOURS[operation], zorder=2)
        ax.barh(y, bad, 0.66, ok, color="white", edgecolor=COLOURS[operation], hatch="/////", linewidth=0.6, zorder=2)
        ax.text(ok + bad + most * 0.025, y, f"{ok + bad:,}", va="center", fontsize=9.5)
    ax.set_yticks(range(len(totals)), [operation for operation, _, _ in totals], fontsize=9.5)
    ax.set_ylim(slots - 0.4, -0.6)
    ax.set_xlim(0, most * 1.16)
    total = sum(ok + bad for _, ok, bad in totals)
    ax.set_title(f"{total:,} call{'' if total == 1 else 's'}", loc="left", fontsize=10, color=SOFT, pad=7)
    ax.tick_params(length=0, labelbottom=False)
    for side in ("top", "bottom", "right"):
        ax.spines[side].set_visible(False)
    ax.spines["left"].set_color(SOFT)


def time_axis(ax, data):
    from matplotlib import dates
    ax.set_xlim(dates.date2num(data.start), dates.date2num(data.start + data.step * data.bins))
    locator = dates.AutoDateLocator(minticks=5, maxticks=10)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, show_offset=False))
    ax.tick_params(axis="x", pad=7)
    ax.set_xlabel("time, UTC", labelpad=4, fontsize=9.5)


def terminal(data, width=100, plain=False):
    """The same as text: a line an operation, with its course over time and its sum."""
    levels, block, blank = (" .:-=+*#%@", "#", ".") if plain else (" ▁▂▃▄▅▆▇█", "█", "·")
    names = max(len(o) for o in data.operations) + 2
    room = width - names - 2 - 8 - 2
    per = max(1, -(-data.bins // int(room * 0.68)))  # bins that share a column
    columns = -(-data.bins // per)
    bar_room = room - columns
    folded = {(t, o): [sum(data.count(t, o)[i:i + per]) for i in range(0, data.bins, per)]
              for t in data.tables for o in data.operations}
    most, highest = max(map(sum, folded.values())), max(map(max, folded.values()))
    title, _ = title_of(data)
    lines = [title, f"{spell_period(data.calls[0].when, data.calls[-1].when)}; {len(data.calls)} calls; "
                    f"one column is {spell_step(data.step * per)}, its full height {highest} call{'s' * (highest > 1)}"]
    for table in data.tables:
        total = sum(sum(folded[table, o]) for o in data.operations)
        failed = sum(call.failed for call in data.calls if call.table == table)
        refused = f", {failed} refused" if failed else ""
        lines += ["", f"{table}: {total} call{'' if total == 1 else 's'}{refused}"]
        for operation in reversed(data.operations):
            counts = folded[table, operation]
            if any(counts):
                line = "".join(levels[max(1, round(n / highest * (len(levels) - 1)))] if n else blank for n in counts)
                bar = block * max(1, round(sum(counts) / most * bar_room))
                lines.append(f"  {operation:<{names}}{line} {sum(counts):>6}  {bar}".rstrip())
    return "\n".join([*lines, clock_line(data, per, columns, names + 2)]) + "\n"


def clock_line(data, per, columns, left):
    line = [" "] * columns
    form = "%H:%M" if data.step.days == 0 and data.bins * data.step.total_seconds() < 3 * 86400 else "%d %b"
    step = next(n for n in (12, 18, 24, 36, 10**6) if columns / n < 9)
    for i in range(0, columns, step):
        label = (data.start + data.step * per * i).strftime(form)
        if i + len(label) + 1 <= columns:
            line[i:i + len(label) + 1] = "|" + label
    return (" " * left + "".join(line)).rstrip()


def main():
    parser = argparse.ArgumentParser(prog="scripts/picture", add_help=False)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    parser.add_argument("--trail", default=os.environ.get("KMSD_TRAIL_DIR") or Path(state) / "kmsd" / "trail")
    parser.add_argument("--account")
    parser.add_argument("--region")
    parser.add_argument("--date")
    parser.add_argument("--out")
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--width", type=int, default=min(100, shutil.get_terminal_size((100, 24)).columns))
    args = parser.parse_args()
    try:
        calls = read_calls(Table(Trail(args.trail, args.account, args.region)), args.date)
        if not calls:
            raise SqlError("no calls to KMS in these log files")
        data = arrange(calls)
        if args.text or not args.out:
            plain = "utf" not in (sys.stdout.encoding or "").lower()
            print(terminal(data, args.width, plain), end="")
        if args.out:
            draw(data, args.out)
            print(f"picture: {args.out}", file=sys.stderr)
    except (SqlError, OSError) as error:
        sys.exit(f"picture: {error}")


if __name__ == "__main__":
    main()
