"""Command line of `scripts/fuzz`: runs the targets one after the other and tells what was found."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from .mutation import MAX_LENGTH
from .own import Finding, Result, fuzz, tried
from .rooms import REPO, open_rooms

ROW = "{:10} {:8} {:>10} {:>9} {:>8} {:>11} {:>9}"


def with_atheris(python: str, name: str, seconds: int, seed: int, folder: Path) -> tuple[int, list[bytes], list[Path]]:
    """Run libFuzzer; return how often it ran the target, what it kept, and the inputs that it complained of."""
    from .targets import TARGETS  # noqa: PLC0415 - the rooms must be open

    corpus, found = folder / "corpus", folder / "found"
    for made in (corpus, found):
        made.mkdir(parents=True)
    for number, data in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    options = (f"-max_total_time={seconds}", f"-seed={seed + 1}", f"-max_len={MAX_LENGTH}", "-rss_limit_mb=2048")
    command = [python, "-m", "scripts.fuzzing.with_atheris", name, str(corpus), f"-artifact_prefix={found}/"]
    done = subprocess.run(
        [*command, *options, "-timeout=5", "-print_final_stats=1"],
        cwd=REPO,
        check=False,
        capture_output=True,
        text=True,
    )
    artifacts = sorted(found.iterdir())
    if done.returncode and not artifacts:
        raise RuntimeError(f"atheris did not run:\n{done.stderr[-2000:]}")
    executed = [line.rsplit(maxsplit=1)[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    return int(executed[0]) if executed else 0, [path.read_bytes() for path in sorted(corpus.iterdir())], artifacts


def run(name: str, arguments: argparse.Namespace) -> tuple[str, Result]:
    """Run one target; what atheris kept is run again without it, to take the time of each."""
    from .targets import TARGETS  # noqa: PLC0415 - the rooms must be open

    if not arguments.atheris:
        return "own", fuzz(TARGETS[name], seconds=arguments.seconds, seed=arguments.seed)
    result = fuzz(TARGETS[name], seconds=0, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        runs, kept, artifacts = with_atheris(
            arguments.atheris, name, arguments.seconds, arguments.seed, Path(folder) / name
        )
        for data in kept:
            tried(TARGETS[name], data, result)
        for path in artifacts:
            if tried(TARGETS[name], path.read_bytes(), result):
                result.findings.append(Finding(path.read_bytes(), f"atheris: {path.name}"))
    result.runs += runs
    result.corpus += kept
    return "atheris", result


def keep(name: str, finding: Finding, folder: Path) -> Path:
    """Write a finding's input to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
    path.write_bytes(finding.data)
    return path


def main() -> int:
    """Fuzz; the exit code is 1 where something was found."""
    open_rooms()
    from .targets import TARGETS  # noqa: PLC0415 - the rooms must be open

    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzzes what reads the network's octets.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same inputs (default: 0)")
    parser.add_argument("--atheris", default="", metavar="PYTHON", help=argparse.SUPPRESS)
    parser.add_argument("--findings", type=Path, default=REPO / ".fuzz", help="folder for inputs that do harm")
    arguments = parser.parse_args()
    if unknown := set(arguments.target) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    print(ROW.format("target", "engine", "runs", "branches", "corpus", "slowest ms", "findings"))
    found = 0
    for name in arguments.target or TARGETS:
        engine, result = run(name, arguments)
        slowest = f"{result.slowest * 1000:.1f}"
        counts = (result.runs, result.branches, len(result.corpus), slowest, len(result.findings))
        print(ROW.format(name, engine, *counts), flush=True)
        for finding in result.findings:
            print(f"  {keep(name, finding, arguments.findings)}\n    {finding.text.strip()}")
        found += len(result.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
