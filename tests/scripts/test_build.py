"""What the release build makes: hardened programs, and an installation that works."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["kmsd", "ddbd"]


def readelf(name, *options):
    return subprocess.run(["readelf", "--wide", *options, ROOT / "build" / name / name], check=True, capture_output=True,
                          text=True).stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_hardened(name):
    assert re.search(r"Type:\s+DYN \(Position-Independent Executable", readelf(name, "--file-header"))
    segments = readelf(name, "--segments")
    assert "GNU_RELRO" in segments
    (stack,) = re.findall(r"GNU_STACK .*", segments)
    assert " RW " in stack and "E" not in stack.split("0x")[-2], "no code on the stack"
    dynamic = readelf(name, "--dynamic")
    assert "BIND_NOW" in dynamic and re.search(r"FLAGS_1.*\bNOW\b.*\bPIE\b", dynamic)
    assert "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic
    imports = set(re.findall(r"UND (\w+)@", readelf(name, "--dyn-syms")))
    assert "__stack_chk_fail" in imports
    assert {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk"} <= imports, "_FORTIFY_SOURCE"
    assert not [i for i in imports if i.startswith(("__asan", "__tsan", "__ubsan"))]


def test_installation(tmp_path):
    subprocess.run(["meson", "install", "-C", ROOT / "build", "--no-rebuild", "--quiet"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    installed = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(installed) == {"kmsd", "ddbd", "kmsd.conf", "ddbd.conf", "principals.json", "cloudhsm.json"}
    for name in PROGRAMS:
        assert installed[name].parent.name == "bin"
        said = subprocess.run([installed[name], "--version"], check=True, capture_output=True, text=True).stdout
        assert said.startswith(f"{name} ")
        assert installed[f"{name}.conf"].read_text() == (ROOT / "config" / f"{name}.conf").read_text()
