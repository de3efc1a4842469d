"""What a history is about: setups in which a few things meet each other again and again, as among all that may happen they
seldom do. Most of it happens to a run in the middle of its work, which few runs come to where anything may happen at any point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CALM: Mapping[str, tuple[Any, ...]] = {
    "rows": (3, 4, 5),
    "nameless": (0,),
    "batch_rows": (1, 1, 2),
    "unique": (False,),
    "approval": (False,),
    "rate": (0.0,),
    "late": (4, 6),
    "retries": (0,),
    "keen": ("",),
    "only": ((),),
    "referred": ("",),
    "unfit": (False,),
    "windows": (False,),
    "numbered": (False,),
    "trigger": ("",),
    "held_open": (False,),
}
"""Of what a theme says nothing about."""
AT_WORK: Mapping[str, tuple[Any, ...]] = {"rate": (0.0005,), "keenness": (60.0, 120.0)}
"""Most runs get as far as they are keen on, and there it happens."""
WRITING = ("apply", "commit|BatchExecute")
POSTGRES = {"kind": ("postgres",)}


@dataclass(frozen=True, kw_only=True)
class Theme:
    """`setup`: among what the setup's fields are chosen. What happens `late`, what while a run waits for a person (`visits`), what
    people do about a machine that stands still (`hanging`), and how runs are asked for (`modes`), each as often as it is
    named; empty: as in any history. `first`: how the first run is asked for. `at`: what happens where, as `keen` names it.
    `most`: how often something happens between two effects. `amounts`: what those of the source's rows are multiples of."""

    setup: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    late: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    hanging: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("apply",)
    first: str = "apply"
    at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most: int = 300
    amounts: int = 1


THEMES: dict[str, Theme] = {
    # runs that end in the middle, and go on or begin again after others
    "failures": Theme(
        setup={**AT_WORK, "only": (("kill",), ("error", "kill")), "keen": WRITING},
        late=("clear", "clear", "clear", "clear", "trigger", "trigger", "force"),
        most=2,
    ),
    # runs that end in the middle, and begin again over other rows
    "begun again": Theme(
        setup={**AT_WORK, "only": (("kill",), ("hang", "kill")), "keen": WRITING, "rows": (4, 6)},
        late=("deploy", "write source", "write source", "write planned", "begin again"),
        most=2,
    ),
    # runs that are stopped whole, so that no report says so, and go on after others
    "stopped": Theme(
        setup={**AT_WORK, "only": (("stop",), ("stop",), ("take back",)), "keen": WRITING},
        late=("clear", "clear", "clear", "clear", "trigger", "roll back", "roll back", "begin again"),
        most=2,
    ),
    # tries that stand still, and go on beside newer ones
    "overlaps": Theme(
        setup={
            **AT_WORK,
            "kind": ("postgres", "postgres", "dynamodb"),
            "keenness": (60.0, 120.0),
            "there": (0,),
            "only": (("hang",),),
            "keen": ("apply", "apply", "commit|BatchExecute"),
            "retries": (0, 1, 3),
            "late": (0, 2),
        },
        hanging=("begin again", "begin again", "begin again", "double", "double", "trigger", "clear"),
        most=4,
    ),
    # a transaction stands still before it is committed, and its run begins again, or another one takes its target
    "beside": Theme(
        setup={
            **POSTGRES,
            "rows": (4, 5, 6),
            "batch_rows": (1,),
            "there": (0,),
            "rate": (0.0005,),
            "keenness": (500.0,),
            "only": (("hang",),),
            "keen": ("commit",),
            "retries": (0, 1),
            "late": (0, 2),
        },
        hanging=("begin again", "begin again", "begin again", "begin again", "double", "trigger"),
        most=3,
    ),
    # others do not wait as long as a person takes to answer
    "waits": Theme(
        setup={"approval": (True,), "hasty": (True,), "answer_seconds": (90.0, 200.0, 400.0, 90_000.0), "retries": (1, 3)},
        visits=("trigger", "trigger", "trigger", "plan again"),
        late=("clear", "trigger", "begin again"),
    ),
    # plans that are made again while somebody is asked about them
    "plans": Theme(
        setup={
            "only": (("switch",),),
            "rate": (0.0, 0.02),
            "approval": (True,),
            "answer_seconds": (3.0, 4.0, 4.0, 8.0, 20.0, 90.0, 200_000.0),
            "late": (2, 4),
        },
        visits=("plan again", "plan again", "plan again", "write planned", "deploy", "approve"),
        late=("begin again", "begin again", "clear", "trigger", "write source"),
    ),
    "rejections": Theme(
        setup={"approval": (True,), "answer_seconds": (5.0, 20.0)},
        visits=("reject", "reject", "reject", "plan again"),
        late=("clear", "clear", "force", "force", "begin again"),
    ),
    # applications that write to rows which a plan is about, before it is written
    "applications": Theme(
        setup={
            **AT_WORK,
            "only": (("write planned",), ("write planned", "write target")),
            "keen": ("approve", "apply", "create"),
            "there": (1, 3),
        },
        late=("trigger", "write target", "write planned", "write source", "roll back"),
        most=6,
    ),
    "rollbacks": Theme(
        setup={
            **AT_WORK,
            "there": (1, 3),
            "keenness": (40.0,),
            "only": ((), ("kill",), ("stop",), ("roll back",), ("look back",)),
            "keen": ("apply",),
        },
        late=(
            *("roll back", "roll back", "roll back", "look back", "look back"),
            *("trigger", "trigger", "write source", "write target", "write planned", "begin again"),
        ),
        most=2,
    ),
    # another table refers to what is rolled back
    "references": Theme(
        setup={**POSTGRES, "referred": ("NO ACTION", "CASCADE"), "there": (0, 1)},
        late=("order", "order", "order", "roll back", "roll back", "trigger"),
    ),
    "sources": Theme(
        setup={"nameless": (0, 1), "unfit": (False, True), "extra": ("report", "remove", "remove"), "late": (6,)},
        late=("write source", "write source", "write source", "trigger", "trigger", "shrink source"),
    ),
    "baselines": Theme(
        setup={"there": (0, 3), "late": (6,)},
        late=("prune all", "prune all", "trigger", "trigger", "write target", "write source"),
    ),
    "numbers": Theme(
        setup={**POSTGRES, "numbered": (True,)},
        late=("write source", "write source", "trigger", "trigger", "write target", "roll back"),
    ),
    "triggers": Theme(
        setup={**POSTGRES, "rows": (3,), "trigger": ("alters", "touches", "touches", "touches", "drops"), "late": (6,)},
        late=("write source", "trigger"),
        amounts=12,
    ),
    # what a report says comes when the run has gone on
    "reports": Theme(
        setup={**AT_WORK, "keenness": (120.0,), "only": (("hang", "kill"),), "keen": ("apply|report",)},
        late=("clear", "clear", "trigger", "begin again"),
        hanging=("clear", "clear", "clear", "begin again"),
        at={"apply": ("kill",), "report": ("hang",)},
        most=3,
    ),
    # a last try is taken for lost, its run has failed, and it ends well all the same
    "late ends": Theme(
        setup={"rate": (0.0005,), "keenness": (100.0,), "only": (("pause",),), "keen": ("validate", "validate|plan_gate")},
        late=("force", "force", "trigger"),
        modes=("plan", "apply"),
        most=2,
    ),
    # runs that write nothing fail, and go on
    "looks": Theme(
        setup={**AT_WORK, "only": (("error", "kill"), ("kill",)), "keen": ("plan|report", "gate"), "late": (6,)},
        late=("trigger", "trigger", "trigger", "clear", "clear", "begin again", "force"),
        modes=("plan", "plan", "verify"),
        most=6,
    ),
    "marks": Theme(
        setup={
            "only": (("mark",), ("mark ahead",), ("mark ahead",)),
            "rate": (0.004,),
            "keenness": (25.0,),
            "keen": ("plan[", "apply|gate", *("read_back",) * 4),
        },
        late=("mark", "mark", "force", "clear", "trigger"),
        most=2,
    ),
    # runs that only plan end well, and their tasks are cleared all the same, or marked
    "planned": Theme(
        setup={
            **AT_WORK,
            "keenness": (100.0,),
            "only": (("pause",), ("pause",), ()),
            "keen": ("plan_gate",),
            "late": (4, 6),
        },
        late=("clear", "clear", "clear", "force", "force", "trigger"),
        modes=("plan", "plan", "apply"),
        first="plan",
        most=1,
    ),
    # a task has hardly begun when its machine stands still, and its run begins again
    "beginnings": Theme(
        setup={
            "approval": (True, True, False),
            "answer_seconds": (90.0, 400.0),
            "rate": (0.0005,),
            "keenness": (500.0,),
            "only": (("hang",),),
            "keen": ("transform", "plan[", "plan_gate", "shared", "verify"),
            "retries": (0, 1),
            "late": (0, 2),
        },
        hanging=("begin again", "begin again", "begin again", "clear"),
        most=2,
    ),
    # the target is another table when a plan that was made for it is to be written
    "restored": Theme(
        setup={
            **AT_WORK,
            "approval": (True, False),
            "answer_seconds": (5.0, 20.0),
            "there": (1, 3),
            "only": (("restore",),),
            "keen": ("approve", "create", "apply"),
        },
        visits=("restore", "restore", "plan again", "approve"),
        late=("trigger", "trigger", "clear", "begin again", "restore", "write source"),
        most=2,
    ),
    # DynamoDB says what is not so
    "lies": Theme(
        setup={
            "kind": ("dynamodb",),
            "rows": (6, 7),
            "batch_rows": (3, 5, 7),
            "rate": (0.0005,),
            "keenness": (60.0, 120.0),
            "only": (("lie",), ("lie",), ("kill", "lie")),
            "keen": ("snapshot|apply|read_back", "apply"),
            "retries": (1, 3),
        },
        late=("trigger", "trigger", "trigger", "write source", "write source", "shrink source", "clear", "roll back"),
        most=20,
    ),
    "cut overs": Theme(
        setup={
            **AT_WORK,
            "only": (("kill",),),
            "keenness": (10.0,),
            "keen": ("apply",),
            "late": (6,),
            "windows": (False, False, False, True),
        },
        late=(
            *("cut over", "cut over", "cut over", "cut through", "cut through", "cut through"),
            *("trigger", "trigger", "roll back", "write source", "next day"),
        ),
        modes=("apply", "apply", "apply", "verify", "plan"),
    ),
    "days": Theme(
        setup={"windows": (True,), "retries": (1, 3), "nameless": (0, 1), "extra": ("report", "remove")},
        late=("trigger", "trigger", "write source", "write source", "roll back"),
    ),
    # somebody has the source's connection lead to another database
    "connections": Theme(
        setup={
            **AT_WORK,
            "keenness": (60.0, 200.0),
            "only": (("lead elsewhere",), ("hang", "lead elsewhere"), ("kill", "lead elsewhere")),
            "keen": ("preflight", "snapshot", "approve", "snapshot|apply"),
            "retries": (0, 1),
        },
        late=("trigger", "trigger", "lead elsewhere", "clear", "begin again", "roll back"),
        most=3,
    ),
    # any task stands still, dies, or hears no answer, and others go on beside it
    "anywhere": Theme(
        setup={
            **AT_WORK,
            "keenness": (60.0, 200.0),
            "approval": (True, False, False),
            "answer_seconds": (20.0, 90.0),
            "there": (0, 1, 3),
            "only": (("hang",), ("hang",), ("hang", "kill"), ("error", "hang"), ("error", "kill")),
            "keen": (
                *("preflight", "snapshot", "shared", "transform", "plan[", "plan_gate", "approve", "create", "prepare"),
                *("apply", "read_back", "verify", "copy.gate", "finish", "validate", "settle", "report"),
                *("preflight|apply", "preflight|report", "approve|report", "remove", "publish", "end older"),
            ),
            "retries": (0, 1, 3),
            "late": (2, 4, 6),
            "windows": (False, False, False, True),
        },
        late=(
            *("trigger", "trigger", "roll back", "roll back", "clear", "clear", "begin again", "begin again", "force"),
            *("write source", "write target", "cut over", "prune"),
        ),
        modes=("apply", "apply", "apply", "verify", "plan"),
        most=4,
    ),
}  # fmt: skip
LATER = ("anywhere", "connections")
"""Themes that came later, drawn by themselves, so that without one a seed's history is what it was."""
ANY = Theme(modes=("apply", "apply", "apply", "verify", "plan"))
"""Of a history that is about nothing in particular."""
OFTEN = ("overlaps", "reports", "stopped", "lies", "cut overs")
"""What needs more than one thing to meet in one history."""
