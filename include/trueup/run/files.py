"""The map of a run's folder: what lies where, made by which step, read by which. Nothing else knows a path of it.

    run.json                    Start        preflight                    every step
    snapshot/<table>/           rows         snapshot                     transform, plan, verify, statements
    shared/<relation>.parquet   rows         shared                       transform
    should/<output>/            rows         transform                    plan, verify
    findings/<phase>/           findings     transform, plan              plan_gate, report, pages
    rejects/<phase>/            whole rows   transform, plan              plan_gate, pages
    fates/<phase>/              keys, rules  transform                    pages
    audit/<name>/ <name>.csv    figures      transform, plan_gate         plan_gate, people
    baseline/<target>/          hashes       plan                         plan and transform of later runs
    plan/<output>/              rows, verbs  plan                         apply, verify, a rollback
    rest/<target>/              rows         plan                         verify
    set_off/<attempt>/<target>/ rows         apply                        verify, plan of later runs, a rollback
    wrote/<output>/             rows         transform of a rollback      plan of it
    plan.json                   PlanRecord   plan_gate                    approve, apply, validate, report, pages
    plan_examples.json          rows         plan_gate                    approve, pages
    findings.csv rejects.jsonl               plan_gate                    people
    gates/<gate>.json           GateResult   each gate                    report, pages
    gates/gx/<gate>/                         each gate                    Great Expectations
    gates/docs/                 Data Docs    data-docs                    pages
    created.json                names        create_tables                apply, a rollback
    read_back/<output>/         rows         read_back                    verify, statements
    proof/<output>/             differences  verify                       the phase's gate, later runs
    proof/<phase>.json          proofs       the phase's gate             pages
    statements.json             answers      validate                     report
    left.json                   names        settle of a rollback         report
    earlier/<attempt>/          a plan       preflight, begun again       plan, a rollback
    cost.json                   CostRecord   approve_cost                 transform, report, pages
    schema-plan.json            SchemaPlan   approve of a schema run      apply, report, pages
    schema/                     states       apply of a schema run        its gates
    restoring.json restored.json             a restore                    itself tried again, people
    lint/ backup/ gates/                     the steps of a schema run    its report, people
    report.json .html .md                    report                       people
    proven/                     the same     report of a proven run       cutover, a rollback, pages
    comparison.json cutover.json             a comparison, a cutover      pages
    refused.json                Refusal      a cutover                    pages
    afterwards.json             Afterwards   settle of its rollback       people
    range.json                  RangeRecord  approve                      approve of other days, pages
    manifests/<step>/<part>.json             each part of a step          the steps after it

Rows lie in Parquet, one file or several for each partition: `<place>/<name>/p<partition>[-…].parquet`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import ArtifactError
from .costs import CostRecord
from .gate_files import DOCS as DOCS
from .gate_files import GATES as GATES
from .gate_files import GateFiles
from .recorded import recorded
from .records import (
    Afterwards,
    Answer,
    PlanRecord,
    Proof,
    RangeRecord,
    Refusal,
    Start,
    to_json,
    to_values,
)
from .report_files import PROVEN, ReportFiles
from .report_files import REPORT as REPORT
from .report_files import REPORT_HTML as REPORT_HTML
from .report_files import REPORT_MD as REPORT_MD
from .schema_files import SCHEMA_PLAN as SCHEMA_PLAN
from .schema_files import SchemaFiles
from .workspace import MANIFESTS, Artifact, Manifest, RunFolder

PLAN, EXAMPLES = "plan.json", "plan_examples.json"
_START, _ANSWERS, CREATED = "run.json", "statements.json", "created.json"
FINDINGS_CSV, REJECTS_JSONL = "findings.csv", "rejects.jsonl"
COMPARISON, CUTOVER = "comparison.json", "cutover.json"
_LEFT, _REFUSED, _AFTERWARDS = "left.json", "refused.json", "afterwards.json"
_RANGE, _COST, SET_OFF, EARLIER = "range.json", "cost.json", "set_off", "earlier"
"""Below `SET_OFF`, by attempt and target, rows that writing changed in addition to those that it wrote. No manifest names them: they are
published before a batch is committed."""


@dataclass(frozen=True)
class Place:
    """A folder whose files hold the rows of a table, an output or a phase, by partition."""

    folder: str

    def of(self, name: str) -> str:
        """Where the files of a table, an output or a phase lie."""
        return f"{self.folder}/{name}"

    def part(self, name: str, partition: int | str, tail: str = "") -> str:
        """The file of one partition; `tail` tells it from others of the same."""
        number = partition if isinstance(partition, str) else f"{partition:03}"
        return f"{self.of(name)}/p{number}{f'-{tail}' if tail else ''}.parquet"

    def name_in(self, artifact: Artifact) -> str:
        """The name whose file it is; empty if it lies elsewhere."""
        folder, _, rest = artifact.path.partition("/")
        return rest.partition("/")[0] if folder == self.folder else ""

    def made_by(self, step: str, name: str, partition: int) -> str:
        """The file of what was said of a partition of the source; `step` is a letter for who said it."""
        return f"{self.of(name)}/{step}{partition:03}.parquet"

    def among(self, manifests: Iterable[Manifest], name: str, partition: int | str | None = None) -> Iterator[Artifact]:
        """The files of a name in these manifests, of one partition (None: of all)."""
        whole, beginning = self.part(name, partition or 0), self.part(name, partition or 0, "x")[: -len("x.parquet")]
        for manifest in manifests:
            for file in manifest.files:
                if partition is None:
                    belongs = file.path.startswith(f"{self.of(name)}/")
                else:
                    belongs = file.path == whole or file.path.startswith(beginning)
                if belongs:
                    yield file


SNAPSHOT_FILES = Place("snapshot")
SHOULD_FILES = Place("should")
FINDING_FILES = Place("findings")
REJECT_FILES = Place("rejects")
FATE_FILES = Place("fates")
"""Source rows for which nothing is done (`keep`), or that are left out by a rule (`skip`): `key`, `fate`, `code`. Not those
outside the run's window. Runs of the first release have none."""
AUDIT_FILES = Place("audit")
BASELINE_FILES = Place("baseline")
FORMER_BASELINE_FILES = Place("base")
"""Where runs of the first release have theirs."""
PLAN_FILES = Place("plan")
REST_FILES = Place("rest")
WROTE_FILES = Place("wrote")
READ_BACK_FILES = Place("read_back")
PROOF_FILES = Place("proof")


class Files(GateFiles, ReportFiles, SchemaFiles):
    """The files of one run; each that may not be there yet is None until it is."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @property
    def begun(self) -> Start | None:
        """What preflight chose and found; None before preflight."""
        return recorded(self.folder, Start, _START)

    @property
    def start(self) -> Start:
        """The same. Raises `ArtifactError` before preflight."""
        if (start := self.begun) is None:
            raise ArtifactError(f"run {self.folder.run_id} has not been through preflight; run that first")
        return start

    def write_start(self, start: Start) -> None:
        """Publish what preflight chose and found."""
        self.folder.write(_START, to_json(start))

    @property
    def plan(self) -> PlanRecord | None:
        """The plan as its gate saw it; None before the gate."""
        return recorded(self.folder, PlanRecord, PLAN)

    def write_plan(self, plan: PlanRecord) -> None:
        """Publish the plan as its gate sees it."""
        self.folder.write(PLAN, to_json(plan))

    def left_over(self) -> bool:
        """Whether anything is sealed, proven, or kept of an earlier plan here."""
        return bool(self.folder.steps() or self.folder.names(PROVEN) or self.folder.folders(EARLIER))

    def forget(self, *former: str) -> None:
        """Forget what was sealed and judged, and these folders: no part of any step counts as done any more."""
        for folder in (MANIFESTS, GATES, PROOF_FILES.folder, *former):
            self.folder.remove(folder)
        self.forget_report()

    def names(self) -> set[str]:
        """Names of the files directly in the run's folder, of its report wherever it lies, of its gates and its proofs with their
        folder, and `DOCS`."""
        beside = {f"{folder}/{name}" for folder in (GATES, PROOF_FILES.folder) for name in self.folder.names(folder)}
        return {*self.folder.names(""), *self.folder.names(PROVEN), *beside, *([DOCS] if self.has_docs() else [])}

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers to the migration's statements; none before they are asked."""
        return recorded(self.folder, tuple[Answer, ...], _ANSWERS) or ()

    def write_answers(self, answers: Iterable[Answer]) -> None:
        """Publish the answers to the migration's statements."""
        self.folder.write(_ANSWERS, json.dumps([to_values(each) for each in answers], indent=1))

    def keys_found(self, code: str) -> frozenset[str]:
        """The keys of findings with that code; none before the plan's gate."""
        content = self.folder.read(FINDINGS_CSV)
        rows = csv.DictReader(io.StringIO((content or b"").decode(), newline=""))
        return frozenset(row["key"] for row in rows if row["code"] == code)

    @property
    def afterwards(self) -> Afterwards | None:
        """What became of the run after its report was written; None where nothing did."""
        return recorded(self.folder, Afterwards, _AFTERWARDS)

    def write_afterwards(self, record: Afterwards) -> None:
        """Note what became of the run after its report was written."""
        self.folder.write(_AFTERWARDS, to_json(record))

    @property
    def range(self) -> RangeRecord | None:
        """The days of the range as somebody was asked about them; None where nobody was."""
        return recorded(self.folder, RangeRecord, _RANGE)

    def write_range(self, record: RangeRecord) -> None:
        """Publish the days of the range."""
        self.folder.write(_RANGE, to_json(record))

    @property
    def cost(self) -> CostRecord | None:
        """What the run's transform costs; None before that is estimated, and where it costs nothing."""
        return recorded(self.folder, CostRecord, _COST)

    def write_cost(self, record: CostRecord) -> None:
        """Publish what the run's transform costs."""
        self.folder.write(_COST, to_json(record))

    @property
    def left(self) -> tuple[str, ...]:
        """What a rollback left in the databases, in words."""
        return recorded(self.folder, tuple[str, ...], _LEFT) or ()

    def write_left(self, left: Iterable[str]) -> None:
        """Publish what a rollback leaves in the databases."""
        self.folder.write(_LEFT, json.dumps([*left]))

    @property
    def refusal(self) -> Refusal | None:
        """Why the run turned no switch; None where it was not refused."""
        return recorded(self.folder, Refusal, _REFUSED)

    def write_refusal(self, refusal: Refusal) -> None:
        """Publish why the run turns no switch."""
        self.folder.write(_REFUSED, to_json(refusal))

    def proof(self, phase: str) -> tuple[Proof, ...]:
        """The proof of a phase, one of each of its outputs; none before its gate."""
        return recorded(self.folder, tuple[Proof, ...], _proof(phase)) or ()

    def write_proof(self, phase: str, proofs: Iterable[Proof]) -> None:
        """Publish the proof of a phase."""
        self.folder.write(_proof(phase), json.dumps([to_values(proof) for proof in proofs], indent=1))


def shared(relation: str) -> str:
    """Where a relation that all partitions share lies."""
    return f"shared/{relation}.parquet"


def shared_name(artifact: Artifact) -> str:
    """The relation whose file it is."""
    return artifact.path.removeprefix("shared/").removesuffix(".parquet")


def set_off_file(target: str, attempt: int, sha256: str) -> str:
    """Where rows lie that writing set off in a target, by their own hash."""
    return f"{SET_OFF}/{attempt}/{target}/{sha256}.parquet"


def set_off_files(folder: RunFolder, target: str, attempt: int | None) -> Iterator[str]:
    """The files of what writing set off in a target, when the run began for the `attempt`th time (None: ever)."""
    for part in folder.folders(SET_OFF):
        number, of = part.split("/")
        if of == target and attempt in (None, int(number)):
            for name in folder.names(f"{SET_OFF}/{part}"):
                if name.endswith(".parquet"):  # else it was being published when the process was killed
                    yield f"{SET_OFF}/{part}/{name}"


def earlier(attempt: int, path: str = "plan.json") -> str:
    """Where a plan that a run had before it began again is kept: its record, or one of its files."""
    return f"{EARLIER}/{attempt}/{path}"


def _proof(phase: str) -> str:
    return f"{PROOF_FILES.folder}/{phase}.json"
