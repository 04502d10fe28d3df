#!/usr/bin/env python3
"""Set ResVAE up and start it, or check it. Standard library only.

``python3 run.py`` makes ``.venv`` once and opens the dashboard; ``python3 run.py test`` runs every
check. Pythons from 3.7 on can read this file, so that they can say that they are too old.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import venv
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "resvae-stamp"
DEV_STAMP = VENV / "resvae-dev-stamp"
REQUIREMENTS = ROOT / "requirements.txt"
DEV_REQUIREMENTS = ROOT / "requirements-dev.txt"
CONFIG = ROOT / ".streamlit" / "config.toml"

PYTHONS = ((3, 11), (3, 12))
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HOST = "127.0.0.1"
FIRST_PORT = 8501

CHECKS = (
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "mypy")),
    ("import rules", ("-c", "from importlinter.cli import lint_imports_command as f; f()")),
)
# two files of tests at a time; what follows `test` may say otherwise, such as -n 0 for a debugger
PYTEST = ("-m", "pytest", "-n", "2", "--dist", "loadfile")


class SetUpError(Exception):
    """Something that the person at the terminal can put right."""


def python_problem(version: tuple[int, int], has_ensurepip: bool, alternative: str) -> str:
    """Say why this Python cannot be used, or return an empty text.

    Parameters
    ----------
    version
        Major and minor number of the running Python.
    has_ensurepip
        Whether it can put pip into a new environment.
    alternative
        Command of a Python on this machine that would do, empty if there is none.
    """
    if version not in PYTHONS:
        found = "{}.{}".format(*version)
        hint = (
            f"This machine has one: run `{alternative} run.py`."
            if alternative
            else "Install Python 3.12 from https://www.python.org/downloads/ and run this again."
        )
        return f"ResVAE needs Python 3.11 or 3.12; this is Python {found}. {hint}"
    if not has_ensurepip:
        return (
            "This Python cannot make virtual environments (ensurepip is missing). "
            "On Debian or Ubuntu: sudo apt install python{}.{}-venv".format(*version)
        )
    return ""


def find_alternative() -> str:
    """Return the name of a usable Python on the search path, empty if there is none."""
    names = ("python{}.{}".format(*version) for version in reversed(PYTHONS))
    return next((name for name in names if shutil.which(name)), "")


def has_nvidia_gpu() -> bool:
    """Tell whether this machine shows an NVIDIA GPU."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listing = subprocess.run([program, "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listing.returncode == 0 and b"GPU" in listing.stdout


def xgboost_package(system: str, has_gpu: bool) -> str:
    """Return the XGBoost distribution to install: never both, they share one import name.

    The full wheel brings 480 MB of CUDA libraries; macOS has only that name (without CUDA in it).
    """
    return "xgboost" if has_gpu or system == "Darwin" else "xgboost-cpu"


def substitute(requirements: str, package: str) -> str:
    """Return the requirements with XGBoost's name replaced, the version untouched."""
    return re.sub(r"(?m)^xgboost(?=\s*==)", package, requirements)


def pinned(requirements: str, name: str) -> str:
    """Return the ``name==version`` line of a pinned package.

    Raises
    ------
    SetUpError
        If the package is not pinned.
    """
    line = re.search(rf"(?m)^{re.escape(name)}==\S+", requirements)
    if line is None:
        raise SetUpError(f"{name} is not pinned in requirements.txt. Restore the file.")
    return line.group()


def make_stamp(requirements: str, python_version: str, machine: str) -> str:
    """Return a digest that changes whenever the environment has to be made anew.

    Parameters
    ----------
    requirements
        Text of the requirements, after :func:`substitute`.
    python_version
        For example ``3.11.7``.
    machine
        Operating system and processor.
    """
    parts = (requirements.replace("\r\n", "\n"), python_version, machine)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def read_stamp(path: Path) -> str:
    """Return what a stamp file says, empty if there is none (not made, or interrupted)."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def venv_python(folder: Path = VENV) -> Path:
    """Return the path of an environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def child_environment() -> dict[str, str]:
    """Return the environment for what we start: idle OpenMP threads must not spin."""
    return {**os.environ, "OMP_WAIT_POLICY": "passive", "PYTHONUTF8": "1"}


def pip(*arguments: str, quiet: bool = False) -> bool:
    """Run the environment's pip; tell whether it succeeded."""
    command = [str(venv_python()), "-m", "pip", *arguments, "--disable-pip-version-check"]
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, stdout=sink, stderr=sink, cwd=ROOT, check=False).returncode == 0


def install_small_torch(requirements: str) -> None:
    """Try to get PyTorch without its gigabytes of CUDA; on failure leave it to the next step.

    A wheel in one of pip's own ``find-links`` folders comes first, then PyTorch's CPU index.
    PyPI's wheels are already CPU builds on Windows and macOS.
    """
    torch = pinned(requirements, "torch")
    if pip("install", "--no-deps", "--no-index", torch, quiet=True):
        return
    print("Looking for the small CPU build of PyTorch ...", flush=True)
    patience = ("--retries", "0", "--timeout", "10")
    pip("install", "--no-deps", *patience, "--index-url", TORCH_CPU_INDEX, torch, quiet=True)


def make_environment(requirements: str, stamp: str) -> None:
    """Make ``.venv`` from nothing and install the requirements.

    The stamp is written last: without it, the next start takes the folder for half-made.
    """
    if Path(sys.prefix).resolve() == VENV:
        raise SetUpError("Run this with the system's Python, not with the one in .venv.")
    print("Setting ResVAE up in .venv (once; 1 to 5 minutes, about 2 GB) ...", flush=True)
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt").create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetUpError(
            f"Python could not make {VENV} ({error}). Check disk space and permissions; on Debian "
            "or Ubuntu install the package python3-venv."
        ) from error
    if platform.system() == "Linux" and not has_nvidia_gpu():
        install_small_torch(requirements)
    resolved = VENV / "requirements.txt"
    resolved.write_text(requirements, encoding="utf-8")
    if not pip("install", "--requirement", str(resolved)):
        raise SetUpError(
            "pip could not install the requirements (its message stands above). "
            "Check the network connection and run this again."
        )
    STAMP.write_text(stamp, encoding="utf-8")


def ensure_environment() -> str:
    """Make the environment unless it is there already; return its stamp."""
    package = xgboost_package(platform.system(), has_nvidia_gpu())
    requirements = substitute(REQUIREMENTS.read_text(encoding="utf-8"), package)
    machine = f"{platform.system()} {platform.machine()}"
    stamp = make_stamp(requirements, platform.python_version(), machine)
    if read_stamp(STAMP) != stamp or not venv_python().exists():
        make_environment(requirements, stamp)
    return stamp


def ensure_dev_environment() -> None:
    """Add what the checks need."""
    wanted = make_stamp(DEV_REQUIREMENTS.read_text(encoding="utf-8"), ensure_environment(), "dev")
    if read_stamp(DEV_STAMP) == wanted:
        return
    if not pip("install", "--requirement", str(DEV_REQUIREMENTS)):
        raise SetUpError("pip could not install requirements-dev.txt. Check the network.")
    DEV_STAMP.write_text(wanted, encoding="utf-8")


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((HOST, port)) != 0


def choose_port(asked: int | None) -> int:
    """Return the port asked for, or the first free one from 8501 on.

    Raises
    ------
    SetUpError
        If the port asked for is taken.
    """
    if asked is None:
        return next(port for port in range(FIRST_PORT, 65535) if port_is_free(port))
    if not port_is_free(asked):
        raise SetUpError(f"Port {asked} is in use. Choose another with --port, or leave it out.")
    return asked


def open_when_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    """Open the browser as soon as the server answers; give up when the server ends."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            webbrowser.open(address)
            return


def saved_theme(state: Path) -> str:
    """Return the theme that the saved settings ask for; ``system`` where they do not."""
    import tomllib

    try:
        settings = tomllib.loads((state / "settings.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "system"  # the pages say what is wrong with the file
    return str(settings.get("theme", "system"))


def theme_options(theme: str, config: Path = CONFIG) -> list[str]:
    """Return Streamlit's options that show one theme to every browser.

    Streamlit lets the browser choose wherever it has both a light and a dark theme, whatever
    ``theme.base`` says; so both get the colours of the one.
    """
    import tomllib

    themes = tomllib.loads(config.read_text(encoding="utf-8"))["theme"]
    if theme not in ("light", "dark"):
        return []
    other = "light" if theme == "dark" else "dark"
    return [f"--theme.{other}.{name}={value}" for name, value in themes[theme].items()]


def start_dashboard(port: int, open_browser: bool) -> int:
    """Serve the dashboard until it is stopped; return the exit code."""
    address = f"http://{HOST}:{port}"
    theme = saved_theme(Path(os.environ.get("RESVAE_STATE") or ROOT / "state"))
    command = (str(venv_python()), "-m", "streamlit", "run", "app.py", "--server.port", str(port))
    command += tuple(theme_options(theme))
    server = subprocess.Popen(command, cwd=ROOT, env=child_environment())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"ResVAE: {address}   (stop with Ctrl+C)", flush=True)
    if open_browser:
        threading.Thread(target=open_when_ready, args=(address, server), daemon=True).start()
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def summarise(results: list[tuple[str, bool, float]]) -> str:
    """Return a table of the checks: name, result, seconds."""
    lines = [
        f"{name:<14}{'passed' if passed else 'FAILED':<8}{seconds:>7.1f} s"
        for name, passed, seconds in results
    ]
    return "\n".join(["", "Summary", "-------", *lines])


def run_checks(pytest_arguments: list[str]) -> int:
    """Run every check, even after a failure; return 0 if all passed, else 1."""
    checks = [*CHECKS, ("tests", (*PYTEST, *pytest_arguments))]
    results = []
    for name, arguments in checks:
        print(f"\n=== {name} ===", flush=True)
        start = time.monotonic()
        command = [str(venv_python()), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=child_environment(), check=False)
        results.append((name, done.returncode == 0, time.monotonic() - start))
    print(summarise(results), flush=True)
    return 0 if all(passed for _, passed, _ in results) else 1


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line; what follows ``test`` goes to pytest."""
    parser = argparse.ArgumentParser(
        prog="run.py", description="Start the ResVAE dashboard, or run every check."
    )
    parser.add_argument("--port", type=int, help="port of the dashboard (default: from 8501 on)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument("command", nargs="?", choices=("start", "test"), default="start")
    position = arguments.index("test") if "test" in arguments else len(arguments)
    own, rest = arguments[: position + 1], arguments[position + 1 :]
    return parser.parse_args(own), rest


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; return the exit code."""
    options, pytest_arguments = parse(arguments)
    problem = python_problem(
        sys.version_info[:2], importlib.util.find_spec("ensurepip") is not None, find_alternative()
    )
    if problem:
        print(problem, file=sys.stderr)
        return 2
    try:
        if options.command == "test":
            ensure_dev_environment()
            return run_checks(pytest_arguments)
        ensure_environment()
        return start_dashboard(choose_port(options.port), not options.no_browser)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
