"""The files of a deployment say what the program does (the proxy: browser/test_proxy.py)."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import run
from resvae_core.cli.main import program
from resvae_core.config import PROJECT_ROOT

COMPOSE = PROJECT_ROOT / "compose.yaml"
DOCKERFILE = PROJECT_ROOT / "Dockerfile"
CADDYFILE = PROJECT_ROOT / "deploy/Caddyfile"
GUIDE = PROJECT_ROOT / "docs/deployment.md"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def dockerfile_copies() -> list[str]:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line]


def test_everything_that_the_image_copies_exists_and_is_not_ignored() -> None:
    ignored = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in dockerfile_copies():
        assert (PROJECT_ROOT / name).exists()
        assert any(line.startswith(f"!{name}") for line in ignored), name


def test_the_image_holds_all_that_the_program_reads() -> None:
    """A folder of the project that the core names in `config` must be in the image."""
    copied = set(dockerfile_copies())
    assert {".streamlit", "app.py", "pages", "resvae_core", "assets", "models"} <= copied


def test_the_image_chooses_xgboost_as_the_launcher_does() -> None:
    script = re.search(r"sed -i '(s/.+/)'", DOCKERFILE.read_text(encoding="utf-8"))
    assert script is not None
    requirements = run.REQUIREMENTS.read_text(encoding="utf-8")
    done = subprocess.run(
        ["sed", script.group(1)], input=requirements, capture_output=True, text=True, check=True
    )
    assert done.stdout == run.substitute(requirements, run.xgboost_package("Linux", has_gpu=False))


def test_every_service_of_ours_is_confined(services: dict[str, Any]) -> None:
    ours = [one for one in services.values() if "resvae" in one["image"]]
    assert len(ours) == 7
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert any(entry.startswith("/tmp") for entry in service["tmpfs"])
    assert "USER 10001:10001" in DOCKERFILE.read_text(encoding="utf-8")


def test_proxy_and_database_are_confined_as_the_guide_says(services: dict[str, Any]) -> None:
    proxy, database = services["proxy"], services["database"]
    assert (proxy["read_only"], proxy["cap_drop"]) == (True, ["ALL"])
    assert proxy["cap_add"] == ["NET_BIND_SERVICE"]
    assert database["networks"] == ["inside"]
    assert not {"ports", "cap_add", "privileged"} & database.keys()


def test_proxy_gets_every_variable_that_its_configuration_reads(services: dict[str, Any]) -> None:
    text = CADDYFILE.read_text(encoding="utf-8")
    needed = set(re.findall(r"\{\$(\w+)\}", text))
    assert needed == {"RESVAE_COOKIE_SECRET", "RESVAE_PROXY_SECRET"}
    assert (
        needed | {"RESVAE_SITE", "RESVAE_AUTHENTICATOR"} == services["proxy"]["environment"].keys()
    )


def test_backup_of_the_guide_needs_no_right_to_write_on_the_host(tmp_path: Path) -> None:
    """Its `tar` runs as a user who owns the state folder alone: what it makes goes to stdout."""
    text = GUIDE.read_text(encoding="utf-8").replace("\\\n", " ")
    command, target = re.search(r"(docker compose run .*--entrypoint tar.*) > (\S+)", text).groups()
    words = shlex.split(command)
    assert "-T" in words
    assert not {"--volume", "-v"} & set(words)
    assert target == "state.tar.gz"
    for name in ("state/roles.toml", "state/artifacts/fold.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kept", encoding="utf-8")
    arguments = words[words.index("app-1") + 1 :]
    arguments[arguments.index("--directory") + 1] = str(tmp_path)
    made = subprocess.run(["tar", *arguments], cwd="/", capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        assert archive.getnames() == ["state", "state/roles.toml"]


def test_only_who_needs_it_reaches_the_outside(services: dict[str, Any]) -> None:
    outside = {name for name, one in services.items() if "outside" in one["networks"]}
    assert outside == {"proxy", "app-1", "app-2", "fetch"}


def test_commands_of_the_services_are_commands_of_the_program(services: dict[str, Any]) -> None:
    for name in ("training", "scoring", "fetch"):
        command = services[name]["command"]
        assert command[:3] == ["python", "-m", "resvae_core"]
        result = CliRunner().invoke(program, [*command[3:], "--help"])
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("service", ["scheduler", "worker"])
def test_options_of_dask_exist(services: dict[str, Any], service: str) -> None:
    command = services[service]["command"]
    words = shlex.split(command) if isinstance(command, str) else command
    dask = Path(sys.executable).with_name("dask")
    text = subprocess.run([dask, words[1], "--help"], capture_output=True, text=True, check=True)
    options = [word for word in words if word.startswith("--")]
    assert options
    for option in options:
        assert option.replace("--no-dashboard", "--dashboard") in text.stdout, option


def test_variables_that_compose_asks_for_are_in_the_example() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    example = (PROJECT_ROOT / "deploy/example.env").read_text(encoding="utf-8")
    assert required == {"POSTGRES_PASSWORD", "RESVAE_COOKIE_SECRET", "RESVAE_ACCESS"}
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in required)
