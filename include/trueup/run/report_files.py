"""Those files of a run's folder that its report leaves (`files.py` is the map of all).

A report that says that the run is proven lies below `proven/`, and beside the run's other files as any report does. Below
`proven/` nothing else is ever written: what an older try of the report was just publishing when the run was proven comes
over the files beside, and not over these, by which the run is believed.
"""

from __future__ import annotations

from .recorded import recorded
from .reported import Report, report_to_json
from .workspace import RunFolder

REPORT, REPORT_HTML, REPORT_MD = "report.json", "report.html", "report.md"
FORMS = (REPORT_HTML, REPORT_MD, REPORT)
"""The forms of a report, in the order in which they are published: without the last one, it is not there."""
PROVEN = "proven"


class ReportFiles:
    """The report of one run."""

    folder: RunFolder

    def report_at(self, form: str) -> str:
        """Where the report lies, in that form of it."""
        return f"{PROVEN}/{form}" if REPORT in self.folder.names(PROVEN) else form

    def reported(self, form: str) -> bytes | None:
        """The report in that form; None before it is written."""
        return self.folder.read(self.report_at(form))

    def location(self, form: str) -> str:
        """Where people find the report in that form: beside the run's other files, unless another one lies there."""
        at = self.report_at(form)
        beside = at == form or self.folder.read(form) == self.folder.read(at)
        return self.folder.location(form if beside else at)

    @property
    def report(self) -> Report | None:
        """The report; None before it is written."""
        return recorded(self.folder, Report, self.report_at(REPORT))

    def write_report(self, report: Report, html: str, markdown: str, *, proven: bool) -> None:
        """Publish the report in all of its forms; `proven`: it says that the run is."""
        contents = {REPORT_HTML: html, REPORT_MD: markdown, REPORT: report_to_json(report)}
        for form in FORMS:
            self.folder.write(f"{PROVEN}/{form}" if proven else form, contents[form])
        self.uncover()

    def uncover(self) -> None:
        """Publish the report of a run that is proven beside its other files, where another one lies there."""
        if REPORT not in self.folder.names(PROVEN):
            return
        for form in FORMS:
            if self.folder.read(form) != self.folder.read(f"{PROVEN}/{form}"):
                self.folder.copy(f"{PROVEN}/{form}", form)

    def forget_report(self) -> None:
        """Forget that the run was proven, as the ledger has."""
        if self.folder.names(PROVEN):
            self.folder.remove(PROVEN)
