"""Mechanical checks of the sources. scripts/check runs it and holds its help; only Python's standard library."""
import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FUNCTION_LINES = 80
FILE_LINES = 500
# What may be longer, and why.
LONGER_FILES = {}
LONGER_FUNCTIONS = {}

# A folder may include itself and these.
LAYERS = {
    "common/base": [],
    "common/store": ["common/base"],
    "common/http": ["common/base"],
    "common/auth": ["common/base"],
    "common/trail": ["common/base"],
    "common/rpc": ["common/base", "common/http", "common/auth", "common/trail", "common/store"],
    "kmsd": ["common"],
    "ddbd": ["common"],
    "tests": ["common", "kmsd", "ddbd"],
}

# Call -> files that may use it; the rest gets the advice.
BANNED = {
    "strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof": ([], "use struct buf, snprintf or a bounded parser"),
    "time|gettimeofday|clock_gettime": (["common/base/clock.c", "tests/bench/"], "time comes from struct clock"),
    "rand|srand|random|srandom|drand48": (["tests/"], "randomness comes from struct rng"),
    "RAND_bytes|RAND_priv_bytes": (["common/base/rng.c"], "randomness comes from struct rng"),
    "alloca|system|popen": (["tests/"], "not used here"),
}

PLACES = re.compile(r"(?<![\w.$}])/(w[o]rk|t[m]p|r[o]ot|h[o]me)\b(?!-)|\.\./s[h]ared\b")
URLS = re.compile(r"https?://([A-Za-z0-9.-]+)")
HOSTS = re.compile(r"^(127\.0\.0\.1|localhost|[\w.-]*example\.(com|org|net)|([\w-]+\.)*(amazonaws|aws\.amazon|amazon)\.com"
                   r"|www\.rfc-editor\.org|datatracker\.ietf\.org|www\.sqlite\.org|sqlite\.org|www\.apache\.org|www\.w3\.org|en\.wikipedia\.org)\.?$")


def tracked(*suffixes):
    """Files that git knows, or will: what is ignored does not count."""
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    names = out.stdout.splitlines() if out.returncode == 0 else [
        str(p.relative_to(ROOT)) for p in ROOT.rglob("*")
        if p.is_file() and not p.relative_to(ROOT).parts[0].startswith((".git", ".venv", "build", "node_modules"))]
    return sorted(n for n in set(names) if (ROOT / n).is_file() and (not suffixes or n.endswith(suffixes)))


def text(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def bare(source):
    """C without comments and without what stands in quotes; lines stay where they are."""
    def blank(match):
        token = match.group()
        return '""' if token[0] in "\"'" else "\n" * token.count("\n") or " "
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, source, flags=re.S)


def check_format(fix):
    names = tracked(".c", ".h")
    command = ["clang-format-14", "--style=file", *(["-i"] if fix else ["--dry-run", "-Werror"]), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seen = {}
    for line in done.stderr.splitlines():
        match = re.match(r"([^:]+):(\d+):\d+: error: ", line)
        if match:
            seen.setdefault(match[1], match[2])
    problems = [f"{name}:{line}: not as clang-format writes it (scripts/check --fix format)" for name, line in seen.items()]
    if done.returncode and not problems:
        problems.append(f"clang-format: {done.stderr.strip()[:200]}")
    return problems


def layer_of(path):
    for length in (2, 1):
        folder = "/".join(path.split("/")[:length])
        if folder in LAYERS and path.count("/") >= length:
            return folder
    return None


def check_layers(_):
    problems = []
    for name in tracked(".c", ".h"):
        mine = layer_of(name)
        for number, line in enumerate(text(name).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            other = layer_of(match[1])
            if other is None:
                if not name.startswith("tests/"):
                    problems.append(f'{name}:{number}: "{match[1]}" is not named from the root')
            elif mine is None:
                problems.append(f"{name}:{number}: this folder has no layer")
            elif other != mine and not any(other == ok or other.startswith(ok + "/") for ok in LAYERS[mine]):
                problems.append(f"{name}:{number}: {mine} may not include {other}")
    return problems


def check_banned(_):
    problems = []
    for name in tracked(".c", ".h"):
        source = bare(text(name))
        for calls, (allowed, advice) in BANNED.items():
            if any(name == a or a.endswith("/") and name.startswith(a) for a in allowed):
                continue
            for match in re.finditer(rf"(?<![\w.>])({calls})\s*\(", source):
                problems.append(f"{name}:{source.count(chr(10), 0, match.start()) + 1}: {match[1]}(): {advice}")
    return problems


def functions(name):
    """(name, first line, number of lines): braces at the margin, as clang-format puts them."""
    start = title = None
    lines = text(name).splitlines()
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
            head = " ".join(lines[max(0, number - 8):number - 1])
            title = (re.findall(r"(\w+)\(", re.split(r"[;}]", head)[-1]) or ["?"])[0]
        elif line == "}" and start:
            yield title, start, number - start - 1
            start = None


def check_size(_):
    problems = []
    for name in tracked(".c", ".h"):
        lines = text(name).count("\n")
        if lines > FILE_LINES and name not in LONGER_FILES and not name.startswith("tests/"):
            problems.append(f"{name}: {lines} lines, more than {FILE_LINES}")
        for title, line, length in functions(name):
            if length > FUNCTION_LINES and title not in LONGER_FUNCTIONS:
                problems.append(f"{name}:{line}: {title}() has {length} lines, more than {FUNCTION_LINES}")
    return problems


def report():
    for what, under in (("daemons", ("common/", "kmsd/", "ddbd/")), ("tests", ("tests/",))):
        names = [n for n in tracked(".c") if n.startswith(under)]
        files = sorted(((text(n).count("\n"), n) for n in names), reverse=True)
        lengths = sorted(((length, f"{n}: {title}()") for n in names for title, _, length in functions(n)), reverse=True)
        if not files or len(lengths) < 2:
            continue
        plain = [length for length, _ in lengths]
        print(f"{what}: {len(files)} files, {sum(n for n, _ in files)} lines, median {statistics.median(n for n, _ in files):.0f}; "
              f"{len(plain)} functions, median {statistics.median(plain):.0f}, "
              f"p90 {statistics.quantiles(plain, n=10)[-1]:.0f} lines")
        for length, where in [*lengths[:5], *files[:5]]:
            print(f"  {length:5} {where}")


def check_heads(_):
    problems = []
    for name in tracked(".c", ".h"):
        source = text(name)
        if not source.startswith(("//", "/*")):
            problems.append(f"{name}:1: no comment that tells the file's role")
        if name.endswith(".h") and "#pragma once" not in source:
            problems.append(f"{name}:1: no #pragma once")
    return problems


def check_paths(_):
    problems = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data or name.startswith("tests/fuzz/corpus/"):
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            match = PLACES.search(line)
            if match:
                problems.append(f"{name}:{number}: names a place of one machine: {match[0]}")
            for host in URLS.findall(line):
                if "." in host and not HOSTS.match(host):
                    problems.append(f"{name}:{number}: names a foreign host: {host}")
    return problems


def shell_scripts():
    for name in tracked():
        path = ROOT / name
        if name.endswith(".sh") or path.stat().st_mode & 0o100 and text(name).startswith(("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh")):
            yield name


def options_of(source):
    """The long options that a script's own code takes: case patterns of bash, add_argument of Python."""
    taken = set(re.findall(r'add_argument\(\s*(?:"-\w",\s*)?"(--[a-z-]+)"', source))
    for pattern in re.findall(r"^\s*((?:-\w \| )?--[a-z-]+=?\*?(?: \| --[a-z-]+=?\*?)*)\)", source, flags=re.M):
        taken |= set(re.findall(r"--[a-z-]+", pattern))
    return taken - {"--help"}


def check_help(name):
    """--help prints a text, and the options in the first column of its list are those that the script takes."""
    done = subprocess.run([str(ROOT / name), "--help"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    if done.returncode or not done.stdout.startswith("Usage: "):
        return [f"{name}: --help prints no usage (status {done.returncode})"]
    source = text(name)
    for module in re.findall(r'exec .*"\$root/([\w/]+\.py)"', source):
        source += text(module)
    told = set(re.findall(r"^(?:  |       )\s*(?:-\w, )?(--[a-z-]+)", done.stdout, flags=re.M)) - {"--help"}
    taken = options_of(source)
    return [f"{name}: --help does not tell of {o}" for o in sorted(taken - told)] + \
           [f"{name}: --help tells of {o}, which is not taken" for o in sorted(told - taken)]


def check_scripts(_):
    problems = []
    shells = list(shell_scripts())
    for name in shells:
        done = subprocess.run(["bash", "-n", name], cwd=ROOT, capture_output=True, text=True)
        problems += [f"{name}: {line}" for line in done.stderr.splitlines()]
    done = subprocess.run(["shellcheck", "-x", "-f", "gcc", *shells], cwd=ROOT, capture_output=True, text=True)
    problems += done.stdout.splitlines()
    for name in tracked(".py"):
        try:
            compile(text(name), name, "exec")
        except SyntaxError as error:
            problems.append(f"{name}:{error.lineno}: {error.msg}")
    for name in tracked():
        if re.fullmatch(r"scripts/[^/]+|tests/bench/run", name):
            problems += check_help(name) if os.access(ROOT / name, os.X_OK) else [f"{name}: not executable"]
    return problems


CHECKS = {"format": check_format, "layers": check_layers, "banned": check_banned, "size": check_size,
          "heads": check_heads, "paths": check_paths, "scripts": check_scripts}


def main():
    parser = argparse.ArgumentParser(prog="scripts/check", add_help=False)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("checks", nargs="*")
    args = parser.parse_args()
    unknown = [c for c in args.checks if c not in CHECKS]
    if unknown:
        sys.exit(f"check: no such check: {unknown[0]} (see --help)")
    passed = failed = 0
    for name in args.checks or CHECKS:
        problems = CHECKS[name](args.fix)
        print(f"{name:8} {'ok' if not problems else 'FAILED'}")
        for problem in problems:
            print(f"  {problem}")
        passed, failed = passed + (not problems), failed + bool(problems)
    if args.report:
        report()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
