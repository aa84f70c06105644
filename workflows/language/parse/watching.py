"""`lifecycle` and `sla`: what is told of a definition's runs, and how long one may take."""

from __future__ import annotations

from workflows.language.nodes import Located, Sla
from workflows.language.parse.fields import Fields
from workflows.language.parse.keys import SLA
from workflows.language.watching import BREACH_ANSWERS, EVERY_MOMENT, MOMENTS, Moment

_WORDS = (*MOMENTS, EVERY_MOMENT)


def lifecycle_of(fields: Fields) -> tuple[Moment, ...]:
    """Read `lifecycle`: moments in the order in which they are listed here, each once; `all` = every one."""
    chosen = {word.value for word in fields.choices("lifecycle", _WORDS)}
    return tuple(moment for moment in MOMENTS if moment in chosen or EVERY_MOMENT in chosen)


def sla_of(fields: Fields) -> Sla | None:
    """Read `sla`."""
    table = fields.table_of("sla")
    if table is None:
        return None
    keys = Fields(table, "sla", SLA, fields.diagnostics)
    keys.need("max_duration", "how long a run may take, such as 1h")
    on_breach = keys.choice("on_breach", BREACH_ANSWERS)
    return Sla(keys.seconds("max_duration") or Located(0.0, keys.at), on_breach)
