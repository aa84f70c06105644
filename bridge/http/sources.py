"""Sources of webhooks: `webhooks.yaml` read into what the endpoint needs, with every mistake at its line.

The file is read by the same first stage as definitions, so it has the same YAML, the same limits and the same form of
complaint. A secret never stands in it: only references do, which somebody else resolves. Whatever can be wrong about
a source is found here, so that a delivery can fail only for its own sake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bridge.errors import MalformedEventError
from bridge.http.configured import CONFIGURED, configured
from bridge.http.signatures.scheme import Scheme
from bridge.http.signatures.schemes import SCHEMES
from bridge.http.templates import compile_value
from bridge.members import MAX_BYTES, event_type
from workflows.language.diagnostics import Diagnostic, Diagnostics, in_order
from workflows.language.expressions.template import Template
from workflows.language.parse.fields import Fields
from workflows.language.source import read_source
from workflows.language.tree import Entry, Table, Tree

FILE: Final = "webhooks.yaml"
TOLERANCE: Final = timedelta(minutes=5)
MOST_BODY_BYTES: Final = 1024 * 1024
SCHEME_NAMES: Final = (*SCHEMES, *CONFIGURED)

_MOST_SECRETS = 4
_MOST_SOURCES = 1000
_LONGEST_TOLERANCE = timedelta(days=1)
_KEYS = (
    "scheme",
    "secrets",
    "type",
    "key",
    "data",
    "tolerance",
    "max_body",
    "trust_id",
    "answer_challenge",
    *CONFIGURED,
)
_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_LONGEST_NAME = 64
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody who sends webhooks.

    Attributes:
        name: As in the address: `/webhooks/<name>`.
        scheme: How deliveries are signed.
        secrets: References to the secrets; each is good, so that one can be replaced by the other.
        type: The event's type, from `headers` and `body`.
        key: The event's group id; None = none.
        data: The event's data; None = the body as it is.
        tolerance: How old or how much ahead a signed time may be.
        max_body_bytes: The longest body.
        trust_id: Take a body that was accepted before as new when it comes under a new id, although the id is not
            signed.
        answer_challenge: Answer the question by which a sender finds out whether the address is ours.
    """

    name: str
    scheme: Scheme
    secrets: tuple[str, ...]
    type: Template
    key: Template | None = None
    data: Template | None = None
    tolerance: timedelta = TOLERANCE
    max_body_bytes: int = MAX_BYTES
    trust_id: bool = False
    answer_challenge: bool = False

    @property
    def path(self) -> str:
        """Where its deliveries are posted."""
        return f"/webhooks/{self.name}"

    @property
    def once_by_body(self) -> bool:
        """Whether a body that was accepted once is a repetition under any id."""
        return not (self.scheme.signs_id or self.trust_id)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a file says.

    Attributes:
        text: The file's text, to show its lines.
        by_name: The sources; none where the file has an error.
        diagnostics: What is wrong with it.
    """

    text: str
    by_name: Mapping[str, Source]
    diagnostics: tuple[Diagnostic, ...]


def read_sources(file: str, content: str | bytes) -> Sources:
    """Return the sources in a file, or what is wrong with it; never raises.

    Args:
        file: Name for the diagnostics; nothing is opened.
        content: The file's text, or its bytes in UTF-8.
    """
    source = read_source(file, content)
    diagnostics = Diagnostics(file, list(source.diagnostics))
    found = {} if source.tree is None else _sources(source.tree, diagnostics)
    return Sources(source.text, {} if diagnostics.failed else found, in_order(diagnostics.found))


def _sources(tree: Tree, diagnostics: Diagnostics) -> dict[str, Source]:
    if not isinstance(tree, Table):
        diagnostics.error(tree.at, "wrong-type", "the file is to be a mapping with the key 'sources'")
        return {}
    fields = Fields(tree, "the file of webhooks", ("sources",), diagnostics)
    fields.need("sources", "a mapping of names to sources; {} for none")
    table = fields.table_of("sources")
    entries = table.entries if table else ()
    if len(entries) > _MOST_SOURCES:
        diagnostics.error(entries[_MOST_SOURCES].at, "out-of-range", f"there are more than {_MOST_SOURCES:,} sources")
        return {}
    read = (_source(entry, diagnostics) for entry in entries)
    return {source.name: source for source in read if source is not None}


def _source(entry: Entry, diagnostics: Diagnostics) -> Source | None:
    _check_name(entry, diagnostics)
    if not isinstance(entry.value, Table):
        diagnostics.error(entry.at, "wrong-type", f"the source {entry.key!r:.80} is to be a mapping")
        return None
    fields = Fields(entry.value, "a source", _KEYS, diagnostics)
    scheme, secrets, kind = _scheme(fields), _secrets(fields), _type(fields)
    key, data = compile_value(fields, "key"), compile_value(fields, "data")
    tolerance, most, trusted = _tolerance(fields, scheme), _max_body(fields), _trust_id(fields, scheme)
    answers = _answer_challenge(fields, scheme)
    if scheme is None or kind is None:
        return None
    return Source(entry.key, scheme, secrets, kind, key, data, tolerance, most, trusted, answers)


def _check_name(entry: Entry, diagnostics: Diagnostics) -> None:
    if len(entry.key) > _LONGEST_NAME or _NAME.fullmatch(entry.key) is None:
        message = f"{entry.key!r:.80} is no name of a source: it is part of an address"
        hint = f"small letters and digits with hyphens between them, at most {_LONGEST_NAME}, such as git-push"
        diagnostics.error(entry.at, "bad-name", message, hint)


def _scheme(fields: Fields) -> Scheme | None:
    fields.need("scheme", f"one of {', '.join(SCHEME_NAMES)}")
    chosen = fields.choice("scheme", SCHEME_NAMES)
    for name in CONFIGURED:
        if chosen is not None and fields.has(name) and chosen.value != name:
            fields.error(fields.place(name), "conflicting-keys", f"{name!r} is for `scheme: {name}`", "leave one out")
    if chosen is None:
        return None
    return configured(chosen.value, fields) if chosen.value in CONFIGURED else SCHEMES[chosen.value]


def _secrets(fields: Fields) -> tuple[str, ...]:
    fields.need("secrets", "a list such as [env:SHOP_WEBHOOK_SECRET]")
    found = fields.texts("secrets")
    if fields.has("secrets") and not 1 <= len(found) <= _MOST_SECRETS:
        message = f"a source has 1 to {_MOST_SECRETS} secrets, not {len(found)}"
        fields.error(fields.place("secrets"), "out-of-range", message, "two while one replaces the other")
    for text in found:
        if _REFERENCE.fullmatch(text.value) is None:
            # What stands there may be the secret itself, so it is not repeated.
            hint = "write env:NAME or file:PATH; the secret itself never stands in this file"
            fields.error(text.at, "bad-value", "this is no reference to a secret", hint)
    return tuple(text.value for text in found)


def _type(fields: Fields) -> Template | None:
    fields.need("type", "the type of the event, such as shop.order-paid")
    template = compile_value(fields, "type") if fields.text("type") else None
    if template is not None and template.is_constant:
        _check_type(fields, template)
    return template


def _check_type(fields: Fields, template: Template) -> None:
    try:
        event_type(template.value, "type")
    except MalformedEventError as error:
        tree = fields.tree("type")
        fields.error(tree.at if tree else fields.at, "bad-value", error.detail)


def _tolerance(fields: Fields, scheme: Scheme | None) -> timedelta:
    _refuse_where(fields, "tolerance", scheme is not None and not scheme.signs_time, "does not sign the time")
    given = fields.seconds("tolerance")
    if given is None:
        return TOLERANCE
    if given.value > _LONGEST_TOLERANCE.total_seconds():
        fields.error(given.at, "out-of-range", "'tolerance' is at most a day", "5m is usual")
        return TOLERANCE
    return timedelta(seconds=given.value)


def _max_body(fields: Fields) -> int:
    given = fields.integer("max_body", 1, MOST_BODY_BYTES)
    return MAX_BYTES if given is None else given.value


def _trust_id(fields: Fields, scheme: Scheme | None) -> bool:
    _refuse_where(fields, "trust_id", scheme is not None and scheme.signs_id, "signs the id, which is trusted")
    given = fields.flag("trust_id")
    return given is not None and given.value


def _answer_challenge(fields: Fields, scheme: Scheme | None) -> bool:
    _refuse_where(fields, "answer_challenge", scheme is not None and scheme.sends_secret, "signs nothing")
    given = fields.flag("answer_challenge")
    return given is not None and given.value


def _refuse_where(fields: Fields, name: str, refused: bool, why: str) -> None:
    if refused and fields.has(name):
        fields.error(fields.place(name), "conflicting-keys", f"this scheme {why}", f"leave out {name!r}")
