"""Prints "passed failed skipped" of a test runner's report. scripts/test runs it; only Python's standard library.

Usage: count_tests.py junit|meson|last FILE
  junit   pytest's XML   meson   testlog.json, with cmocka's own counts where a program printed them
  last    a log whose last line says "N passed, N failed"
"""
import json
import re
import sys
import xml.etree.ElementTree as xml


def junit(path):
    failed = skipped = total = 0
    for suite in xml.parse(path).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def meson(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            printed = test.get("stdout", "") + test.get("stderr", "")
            ok = [int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test\(s\)", printed, flags=re.M)]
            bad = [int(n) for n in re.findall(r"^\[  FAILED  \] (?:\w+: )?(\d+) test\(s\)", printed, flags=re.M)]
            if test["result"] == "SKIP":
                skipped += 1
            elif test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += sum(ok) or 1
            else:
                passed += sum(ok)
                failed += sum(bad) or 1
    return passed, failed, skipped


def last(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        found = re.findall(r"^(\d+) passed, (\d+) failed$", lines.read(), flags=re.M)
    return (*map(int, found[-1]), 0) if found else (0, 1, 0)


if __name__ == "__main__":
    print(*{"junit": junit, "meson": meson, "last": last}[sys.argv[1]](sys.argv[2]))
