"""What README and config/ say is what the programs say."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from daemons import program  # noqa: E402


def output(name, flag):
    return subprocess.run([program(name), flag], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["kmsd", "ddbd"])
def test_sample_configuration_is_current(name):
    assert (ROOT / "config" / f"{name}.conf").read_text() == output(name, "--sample-config")


@pytest.mark.parametrize("name", ["kmsd", "ddbd"])
def test_readme_lists_the_operations(name):
    kinds = {"read": set(), "write": set(), "not built": set()}
    for line in output(name, "--list-operations").splitlines()[1:]:
        operation, kind = re.fullmatch(r"(\w+)\s+\S+\s+(read|write|not built)", line).groups()
        kinds[kind].add(operation)
    readme = (ROOT / "README.md").read_text()
    for kind, operations in kinds.items():
        row = re.search(rf"^\| {name}, {kind} \| (.*) \|$", readme, re.MULTILINE)
        if not row and not operations:
            continue
        assert row, f"README has no row for {name}, {kind}"
        assert set(row.group(1).split(", ")) == operations
