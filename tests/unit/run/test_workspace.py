"""The workspace: one behaviour on a folder and on S3 (a real S3 engine over HTTP)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from include.embedded.dynamodb import free_port
from include.trueup.errors import ArtifactError, OptionsError, StoreRejectedError, StoreUnavailableError, TrueupError
from include.trueup.report.lens.shelf import Shelf
from include.trueup.run.workspace import Manifest, Workspace
from tests.simulation.twins import WorkspaceTwin


@pytest.fixture(scope="session")
def s3_options() -> Iterator[dict[str, str]]:
    port = free_port()
    environment = {**os.environ, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "s3"}
    program = [str(Path(sys.executable).parent / "ministack")]
    server = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
            break
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.1)
    options = {
        "access_key": "k",
        "secret_key": "s",
        "region": "us-east-1",
        "endpoint_override": f"http://127.0.0.1:{port}",
    }
    pafs.S3FileSystem(**options, allow_bucket_creation=True).create_dir("evidence")
    yield options
    server.terminate()
    server.wait()


@pytest.fixture(params=["folder", "s3", "twin"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    if request.param == "folder":
        return Workspace(str(tmp_path / "workspace"))
    if request.param == "twin":
        return WorkspaceTwin(tmp_path / "workspace")
    return Workspace(f"s3://evidence/{tmp_path.name}", request.getfixturevalue("s3_options"))


def test_what_took_the_place_of_a_file_since_it_was_looked_at_is_not_removed(workspace: Workspace) -> None:
    for path in ("proof/old", "proof/below/old", "proof/again"):
        workspace.write(b"1", path)
    there = workspace.files("proof")
    workspace.write(b"of a newer try", "proof/again")
    workspace.write(b"of a newer try", "proof/new")
    workspace.remove("proof", there)
    assert sorted(workspace.files("proof")) == ["again", "new"]
    workspace.remove("proof", workspace.files("proof"))
    workspace.remove("proof", {})
    assert workspace.files("proof") == workspace.files("nothing") == {}


def test_a_file_comes_back_as_it_was_published(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"rows" * 1000)
    run = workspace.run("r")
    artifact = run.publish(tmp_path / "rows", "plan/p000.parquet", 7)
    assert (artifact.rows, artifact.bytes) == (7, 4000)
    assert not (tmp_path / "rows").exists()
    with workspace.scratch() as scratch:
        assert run.fetch(artifact, scratch).read_bytes() == b"rows" * 1000


def test_publishing_again_replaces_the_whole_file(workspace: Workspace) -> None:
    run = workspace.run("r")
    run.write("plan.json", '{"a": 1, "b": 2}')
    run.write("plan.json", "{}")
    assert run.read_json("plan.json") == {}
    assert run.read_json("nothing.json") is None


def test_a_file_that_somebody_changed_is_refused(workspace: Workspace) -> None:
    run = workspace.run("r")
    artifact = run.write("plan/p000.parquet", "what was approved")
    run.write("plan/p000.parquet", "what was approvef")
    with workspace.scratch() as scratch, pytest.raises(ArtifactError, match=r"plan/p000\.parquet is not the file"):
        run.fetch(artifact, scratch)


def test_a_missing_file_is_said(workspace: Workspace) -> None:
    artifact = workspace.run("r").write("a", "x")
    with workspace.scratch() as scratch, pytest.raises(ArtifactError, match="missing from the workspace"):
        workspace.run("another").fetch(artifact, scratch)


def test_a_missing_file_is_not_copied(workspace: Workspace) -> None:
    with pytest.raises(ArtifactError, match=r"baseline/p000\.parquet is missing"):
        workspace.run("r").copy("baseline/p000.parquet", "earlier/1/baseline/p000.parquet")


def test_manifests_of_missing_parts_are_an_error(workspace: Workspace) -> None:
    run = workspace.run("r")
    artifact = run.write("snapshot/links/p000-s001.parquet", "rows")
    run.seal(Manifest(step="snapshot", part="001", files=(artifact,), facts={"links": 4}))
    run.seal(Manifest(step="apply/links", part="000"))
    (found,) = run.manifests("snapshot", 1)
    assert found.files == (artifact,)
    assert found.facts == {"links": 4}
    assert run.steps() == ["apply/links", "snapshot"]
    with pytest.raises(ArtifactError, match="1 of 2 parts of 'snapshot'"):
        run.manifests("snapshot", 2)


def test_scratch_is_gone_afterwards(workspace: Workspace) -> None:
    with workspace.scratch() as scratch:
        (scratch / "spill").write_text("x")
    assert not scratch.exists()


def test_what_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    run = Workspace(str(tmp_path / "workspace")).run("r")
    run.write("plan.json/within", "{}")
    with pytest.raises(StoreRejectedError):
        run.write("plan.json", "{}")  # there is a folder of that name
    assert run.names("") == []
    assert not [*(tmp_path / "workspace" / ".scratch").iterdir()]


def test_another_scheme_is_refused() -> None:
    with pytest.raises(OptionsError, match="ftp://host"):
        Workspace("ftp://host/folder")


class _Failing:
    """An S3 file system that answers with an error."""

    def __init__(self, said: str) -> None:
        self.said = said

    def get_file_info(self, *_: object) -> None:
        raise OSError(self.said)

    open_input_stream = get_file_info


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7", StoreUnavailableError),
        ("AWS Error SLOW_DOWN during GetObject operation: Please reduce your request rate.", StoreUnavailableError),
        ("AWS Error ACCESS_DENIED during GetObject operation: Access Denied", StoreRejectedError),
    ],
)
def test_what_s3_answers_says_whether_another_try_may_help(said: str, kind: type[TrueupError]) -> None:
    workspace = Workspace("s3://evidence/here", {"region": "us-east-1", "endpoint_override": "http://127.0.0.1:1"})
    workspace._files = _Failing(said)
    run = workspace.run("r")
    for asked in (lambda: run.read_json("plan.json"), run.steps, lambda: run.manifests("plan")):
        with pytest.raises(kind, match=r"the workspace could not .* s3://evidence/here/runs/r") as raised:
            asked()
        assert said in str(raised.value)


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path / "workspace"))
    (tmp_path / "workspace" / "runs").write_text("no folder")
    with pytest.raises(StoreRejectedError, match=r"could not write .*plan\.json.*free space"):
        workspace.run("r").write("plan.json", "{}")
    other = Workspace(str(tmp_path / "other"))
    (tmp_path / "other" / ".scratch").write_text("no folder")
    with pytest.raises(StoreRejectedError, match=r"could not write .*scratch.*free space"), other.scratch():
        pass
    with pytest.raises(StoreRejectedError, match=r"could not make .*plan\.json.*its rights"):
        Workspace(str(tmp_path / "workspace" / "runs" / "plan.json"))


def test_a_shelf_checks_a_file_once_and_keeps_few_copies(workspace: Workspace, tmp_path: Path) -> None:
    run, shelf, made = workspace.run("shelved"), Shelf(workspace, copies=6_000), []
    for n in range(3):
        (tmp_path / "rows").write_bytes(bytes([n]) * 4_000)
        made.append(run.publish(tmp_path / "rows", f"plan/p{n:03}.parquet", 7))
    paths = [shelf.path(run, artifact) for artifact in made]
    assert shelf.path(run, made[2]) == paths[2]
    assert [path.exists() for path in paths] == ([True] * 3 if workspace.uri.startswith("/") else [False, False, True])
    assert shelf.path(run, made[0]).read_bytes() == b"\0" * 4_000
    (tmp_path / "rows").write_bytes(b"x" * 4_000)
    run.publish(tmp_path / "rows", made[1].path)
    with pytest.raises(ArtifactError, match="is not the file"):
        shelf.path(run, made[1])
    with pytest.raises(ArtifactError, match="missing"):
        shelf.path(run, replace(made[1], path="plan/p009.parquet"))
