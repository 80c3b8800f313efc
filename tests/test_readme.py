"""What README.md and docs/*.md tell people to type is typed here, and what they show is compared; see tests/documents.py."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cds_service import openapi
from cds_service.cli import main
from cds_service.crd.errors import CallError
from cds_service.crd.gathering import MAX_COVERAGES
from cds_service.crd.hook_contexts import MAX_ORDERS
from tests import documents, examples
from tests.documents import ROOT, Block

DOCUMENTED_ADDRESS = "127.0.0.1:8080"
_NAMES = [str(path.relative_to(ROOT)) for path in documents.DOCUMENTS]

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(state: Path) -> dict[str, str]:
    """This process's environment without settings of the service, its commands first on the path, its records in ``state``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return clean | {"PATH": path, "XDG_STATE_HOME": str(state), "CDS_SERVICE_METRICS_ADDRESS": "off", "NO_PROXY": "127.0.0.1"}


@contextlib.contextmanager
def process(command: list[str], address: str, seconds: float, folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """Run ``command`` until its service is ready at ``address``, and end it and its children afterwards."""
    log = folder / "service.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True) as running,
    ):
        try:
            until = time.monotonic() + seconds
            while not is_ready(address):
                assert running.poll() is None, f"it ended: {log.read_text()[-2000:]}"
                assert time.monotonic() < until, f"not ready in {seconds} s: {log.read_text()[-2000:]}"
                time.sleep(0.2)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGTERM)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)


def is_ready(address: str) -> bool:
    try:
        with _direct.open(f"http://{address}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service started as the documents say, on a free port."""
    state = tmp_path_factory.mktemp("service")
    port = free_port()
    variables = environment(state) | {"CDS_SERVICE_PUBLIC_URL": f"http://{DOCUMENTED_ADDRESS}"}
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port)]
    with process(command, f"127.0.0.1:{port}", 60, state, variables):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the repository's files, in which a document's blocks may write."""
    for each in ROOT.iterdir():
        if not each.name.startswith("."):
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


class Shell:
    """Runs blocks in one folder, with the service at ``address`` in place of the documented one."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        script = [part.replace(DOCUMENTED_ADDRESS, self.address) for part in command]
        variables = environment(self.folder / "state")
        return subprocess.run(
            script,
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def do(self, block: Block) -> None:
        """Write, run or parse ``block`` as the convention has it."""
        documents.parse(block)
        if block.file is not None:
            (self.folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.not_run is not None:
            return
        elif block.language == "bash":
            done = self.run("bash", "-euo", "pipefail", "-c", block.text)
            assert done.returncode == 0, f"line {block.line}: {done.stdout}"
        elif block.language == "python":
            done = self.run(sys.executable, "-c", block.text)
            assert done.returncode == 0, f"line {block.line}: {done.stdout}"
        elif block.language == "console":
            for command, shown in documents.commands(block.text):
                printed = self.run("bash", "-uo", "pipefail", "-c", command).stdout
                assert documents.is_as_shown(shown, printed), f"line {block.line}: {command}\nprints\n{printed}"


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_a_document_says_and_shows_what_happens(name: str, folder: Path, address: str) -> None:
    shell = Shell(folder, address)
    for block in documents.blocks((ROOT / name).read_text(encoding="utf-8")):
        shell.do(block)


@pytest.mark.parametrize("name", _NAMES)
def test_a_document_links_to_nothing_that_is_not_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        linked = (ROOT / name).parent / path if path else ROOT / name
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, target


_TOLD = re.compile(r"(?<![\w./-])cds-service ((?:[a-z][a-z-]* ?)+)([^`|\n]*)")


@pytest.mark.parametrize("name", _NAMES)
def test_the_commands_and_options_that_a_document_names_exist(name: str) -> None:
    """In blocks that are not run, and in sentences, too."""
    for words, rest in _TOLD.findall((ROOT / name).read_text(encoding="utf-8")):
        command: click.Command | None = main
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(command), word)
            assert command is not None, f"cds-service {words}"
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"(?<= )--[a-z-]+", f" {rest}")) <= options | {"--help"}, f"cds-service {words}{rest}"


def calls_errors(error: type[CallError] = CallError) -> set[int]:
    return {error.status}.union(*(calls_errors(kind) for kind in error.__subclasses__()))


def test_every_error_that_a_call_can_get_stands_in_the_integrators_table() -> None:
    text = (ROOT / "docs" / "integrate-an-ehr.md").read_text(encoding="utf-8")
    told = {int(status) for status in re.findall(r"^\| ([45]\d\d) \|", text, re.M)}
    paths = openapi.document("https://crd.example")["paths"].values()
    described = {int(status) for path in paths for each in path.values() for status in each["responses"]}
    of_the_edge = {405, 408, 500}  # of HTTP itself, and of defects: no operation describes them
    assert calls_errors() | {status for status in described if status >= 400} | of_the_edge <= told
    assert f"at most {MAX_ORDERS} entries in `draftOrders`" in text
    assert f"{MAX_COVERAGES} Coverages" in text


def required(name: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """The packages that ``name`` brings on this machine, each with its extras."""
    for requirement in map(Requirement, metadata.requires(name) or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement.name, frozenset(requirement.extras)


def test_the_containers_constraints_pin_each_package_that_the_service_brings_and_no_other() -> None:
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [("cds-service", frozenset({"postgres"}))]
    while waiting:
        new = set(required(*waiting.pop())) - found
        found |= new
        waiting += new
    lines = (ROOT / "docs" / "deploy" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    assert sorted(map(canonicalize_name, pinned)) == sorted({canonicalize_name(name) for name, _ in found})


@pytest.mark.parametrize("name", _NAMES)
def test_a_document_that_has_commands_says_how_to_come_by_them(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    first = next((place.start() for place in re.finditer(r"^(?:\$ )?cds-service ", text, re.M)), None)
    assert first is None or "`. .venv/bin/activate" in text[:first]


class TestConvention:
    def test_output_is_as_shown_only_if_every_part_is(self) -> None:
        assert documents.is_as_shown("a ... c\n", "a b c")
        assert documents.is_as_shown("a\n...\n", "a\nb\n")
        assert not documents.is_as_shown("a ... c", "a b d")
        assert not documents.is_as_shown("a", "a b")

    def test_a_console_block_is_commands_and_what_they_print(self) -> None:
        assert documents.commands("$ one\n> more\nout\n$ two\n") == [("one\nmore", "out\n"), ("two", "")]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("```\nx\n```\n", "must say its language"),
            ("```sh\nx\n```\n", "must say its language"),
            ("<!-- not run: -->\n```bash\nx\n```\n", "must say why"),
            ("```bash\nx\n", "not closed"),
            ("So:\n\n    cds-service serve\n", "indented block"),
        ],
    )
    def test_a_block_without_language_reason_or_end_is_refused(self, text: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            documents.blocks(text)

    def test_marks_are_read(self) -> None:
        text = "<!-- not run: no net -->\n```bash\nx\n```\n\n<!-- file: a.toml -->\n```toml\na = 1\n```\n"
        skipped, written = documents.blocks(text)
        assert (skipped.not_run, written.file, written.text) == ("no net", "a.toml", "a = 1\n")

    def test_a_command_that_fails_fails_its_document(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="line 3"):
            Shell(tmp_path, "").do(Block(3, "bash", "false\ntrue\n"))


def setup_lines() -> list[str]:
    """The README's two commands that make an environment."""
    return re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)


def test_continuous_integration_runs_the_line_of_the_readme_that_runs_the_tests() -> None:
    _, tests = setup_lines()
    assert tests in [line.strip() for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_the_readmes_first_line_leaves_a_fresh_clone_answering(tmp_path: Path) -> None:
    """Needs git and the package index; clones what is committed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git repository")
    clone, port = tmp_path / "clone", free_port()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    install, serve = setup_lines()[0].rsplit(" && ", 1)
    installed = subprocess.run(["bash", "-c", install], cwd=clone, capture_output=True, text=True, timeout=600, check=False)
    if re.search(r"connection|resolution|retries", installed.stderr, re.I) and installed.returncode:
        pytest.skip("the package index cannot be reached")
    assert installed.returncode == 0, installed.stderr
    variables = environment(tmp_path)
    with process(["bash", "-c", f"exec {serve} --port {port}"], f"127.0.0.1:{port}", 60, clone, variables):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/cds-services/order-sign-crd",
            examples.request_text("order-sign-after-the-change").encode(),
            {"Content-Type": "application/json"},
        )
        with _direct.open(request, timeout=30) as answer:
            assert b"CMS Manual 100-02, Chapter 16" in answer.read()
