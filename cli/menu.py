"""What `saga` can do: each command's name and its one sentence, in the order in which a newcomer meets them.

`saga --help` and completion are made of this table, so that they import no command. The command `x` is the object
`command` in `cli/commands/x.py`; a command `y` of the group `x` is `command` in `cli/commands/x/y.py`. A new command
is its file and a line here; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    """A command that has commands of its own.

    Attributes:
        help: What `saga GROUP --help` says above the list.
        sections: Its commands by heading.
    """

    help: str
    sections: Sections


SECTIONS: Sections = MappingProxyType(
    {
        "First steps": {
            "demo": "A guided tour on real services: an event, an approval, a rollback.",
            "up": "Run everything on this machine, until Ctrl-C.",
            "doctor": "Check every part, and say what to do about what is wrong.",
        },
        "Definitions": {
            "validate": "Check definitions and show all that is wrong with them.",
            "fmt": "Write definitions in the one usual form.",
            "graph": "Print a definition as a Mermaid flowchart.",
            "actions": "List the actions that a step may name, or show one.",
            "schema": "Print the JSON Schema of a definition, for editors.",
            "deploy": "Record the versions of definitions and reconcile their schedules.",
            "compat": "Say what changed between two versions, and whom it concerns.",
            "versions": "List deployed versions, their share of new runs, and the runs on them.",
            "rollout": "Set which share of the new runs a version takes; 0 takes it back.",
        },
        "Runs": {
            "run": "Start a run and watch it to its end.",
            "watch": "Watch a run to its end.",
            "show": "Show one run: its steps, what it waits for, how it ended.",
            "list": "List runs, the newest first.",
            "stuck": "Show the runs that do not get on: why, and what to do.",
            "report": "Report on runs: success, durations, where time goes, failures, cost.",
            "state": "Show the state of a run after any of its events.",
            "approve": "Approve a step that waits for people, or list such steps.",
            "reject": "Reject a step that waits for people.",
            "signal": "Send a signal to a run.",
            "cancel": "Ask a run to stop and to undo what it did.",
            "schedules": "List schedules, pause them, start them now, or make starts up for past times.",
            "redrive": "Have runs that failed go on from where they failed.",
            "compensate": "Finish rollbacks that could not undo everything.",
            "migrate": "Move a waiting run to another version of its definition.",
        },
        "Events": {
            "events": "Publish events, look at them, replay them, and check their schemas.",
            "dlq": "Look at dead letters, and have them handled again.",
            "webhooks": "List who may send webhooks, and try it out.",
            "topology": "Compare the broker with what is wanted there, and declare what is missing.",
        },
        "Services": {
            "worker": "Run workflows and actions against given services.",
            "bridge": "Turn events from RabbitMQ into runs and signals.",
            "rebuild": "Make what PostgreSQL knows of runs again, from Temporal's histories.",
            "completion": "Print the completion script of a shell.",
        },
    }
)

GROUPS: Mapping[str, Group] = MappingProxyType(
    {
        "events": Group(
            """Publish events, look at them, replay them, and check their schemas.

            \b
            Examples:
              saga events publish order.json
              saga events check order.placed 1.0 1.1
            """,
            MappingProxyType(
                {
                    "Sending": {
                        "publish": "Publish events from a file, from stdin or from options.",
                        "replay": "Publish events of the log again.",
                    },
                    "Looking": {
                        "tail": "Show events as they come.",
                        "top": "Show rates, queues and breakers, live.",
                    },
                    "Schemas": {
                        "check": "Say whether a new schema is compatible with the old one, and why not.",
                        "schema": "List the schemas of events, or show one.",
                    },
                    "Keeping": {
                        "archive": "Move old days of the log into the archive.",
                        "restore": "Bring archived days back into the log.",
                    },
                }
            ),
        ),
        "dlq": Group(
            """Look at dead letters, and have them handled again.

            \b
            Examples:
              saga dlq list
              saga dlq retry --all
            """,
            MappingProxyType(
                {
                    "Looking": {
                        "list": "List dead letters, those with one cause in one line.",
                        "show": "Show one: why it is one, its headers and its body.",
                    },
                    "Handling": {
                        "edit": "Change the body of one, so that it can be retried.",
                        "retry": "Publish them again, once what was wrong is put right.",
                        "drop": "Drop those that nobody wants any more.",
                    },
                }
            ),
        ),
        "schedules": Group(
            """List schedules, pause them, start them now, or make starts up for past times.

            \b
            Examples:
              saga schedules list
              saga schedules pause nightly --note "holiday"
            """,
            MappingProxyType(
                {
                    "Looking": {
                        "list": "List schedules: when they start runs, how the last one went, what was missed.",
                    },
                    "Handling": {
                        "pause": "Let a schedule start nothing until it is resumed.",
                        "resume": "Let a paused schedule start runs again.",
                        "trigger": "Start a run of a schedule now.",
                        "backfill": "Start the runs of a schedule for a time that is over.",
                    },
                }
            ),
        ),
        "webhooks": Group(
            """List who may send webhooks, and try it out.

            \b
            Examples:
              saga webhooks list
              saga webhooks sign shop order.json | sh
            """,
            MappingProxyType(
                {
                    "Commands": {
                        "list": "List the sources of webhooks, and whether their secrets can be had.",
                        "sign": "Print a curl line that sends a signed body.",
                    },
                }
            ),
        ),
        "topology": Group(
            """Compare the broker with what is wanted there, and declare what is missing.

            \b
            Examples:
              saga topology diff
              saga topology apply
            """,
            MappingProxyType(
                {
                    "Commands": {
                        "diff": "Show how the broker differs from what is wanted there.",
                        "apply": "Declare what is missing; deletes nothing.",
                        "schema": "Print the JSON Schema of topology.yaml, for editors.",
                    },
                }
            ),
        ),
    }
)

COMMANDS: Mapping[str, str] = MappingProxyType(
    {name: text for part in SECTIONS.values() for name, text in part.items()}
)
