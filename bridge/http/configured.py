"""The schemes that a source configures itself, `hmac` and `token`, read from their tables in `webhooks.yaml`.

What would weaken a signature is refused here, before anything is received: a time or an id that is sent and not
signed would decide nothing, and two members of what is signed without a text between them could be shifted against
each other by whoever has a copy of a delivery.
"""

from __future__ import annotations

import re
from typing import Final, get_args

from bridge.http.signatures.keyed_hash import Encoding, KeyedHash, Member, SignedText
from bridge.http.signatures.shared_token import SharedToken
from workflows.language.diagnostics import did_you_mean
from workflows.language.nodes import Text
from workflows.language.parse.fields import Fields
from workflows.language.tree import Table

HMAC: Final = "hmac"
TOKEN: Final = "token"  # noqa: S105  # a name of a scheme
CONFIGURED: Final = (HMAC, TOKEN)
"""Their names in `scheme:`, which are those of the keys with their settings."""

_HMAC_KEYS = ("header", "encoding", "prefix", "signed", "timestamp_header", "id_header")
_TOKEN_KEYS = ("header", "prefix", "id_header")
_ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
_HEADER = re.compile(r"[a-z0-9_-]{1,100}")
_OF_HTTP = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "host", "expect"})
_HMAC_PREFIX = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,40}")
_TOKEN_PREFIX = re.compile(r"[\x20-\x7e]{1,40}")
_LONGEST_SIGNED = 200
_MEMBER = re.compile(r"\{([^{}]*)\}")


def configured(scheme: str, fields: Fields) -> KeyedHash | SharedToken | None:
    """Return the scheme `hmac` or `token` as a source configures it; None where it has mistakes, which are noted."""
    table = fields.table_of(scheme)
    if table is None:
        if not fields.has(scheme):
            fields.missing(f"{scheme!r}", f"such as {scheme}: {{header: x-signature}}")
        return None
    return _keyed_hash(table, fields) if scheme == HMAC else _shared_token(table, fields)


def _keyed_hash(table: Table, source: Fields) -> KeyedHash | None:
    fields = Fields(table, "'hmac'", _HMAC_KEYS, source.diagnostics)
    header = _needed_header(fields)
    timestamp, delivery_id = _header(fields, "timestamp_header"), _header(fields, "id_header")
    encoding = fields.choice("encoding", _ENCODINGS)
    prefix = _prefix(fields, _HMAC_PREFIX, "1 to 40 visible characters, none of which is a comma")
    signed = _signed(fields)
    if signed is None:
        return None
    _check_members(fields, signed)
    _check_distinct(fields, header=header, timestamp_header=timestamp, id_header=delivery_id)
    return KeyedHash(
        header,
        encoding=encoding.value if encoding else "hex",
        prefix=prefix,
        signed=signed,
        timestamp_header=timestamp,
        id_header=delivery_id,
        signs_id=delivery_id is None or Member.ID in signed,
        reads_forms=Member.ID not in signed,
    )


def _shared_token(table: Table, source: Fields) -> SharedToken:
    fields = Fields(table, "'token'", _TOKEN_KEYS, source.diagnostics)
    prefix = _prefix(fields, _TOKEN_PREFIX, "1 to 40 characters in one line")
    header, delivery_id = _needed_header(fields), _header(fields, "id_header")
    _check_distinct(fields, header=header, id_header=delivery_id)
    return SharedToken(header, prefix=prefix, id_header=delivery_id)


def _needed_header(fields: Fields) -> str:
    fields.need("header", "the name of a header, such as x-signature")
    return _header(fields, "header") or ""


def _header(fields: Fields, key: str) -> str | None:
    text = fields.text(key)
    if text is None:
        return None
    name = text.value.lower()
    if _HEADER.fullmatch(name) is None or name in _OF_HTTP:
        hint = "letters, digits and hyphens, such as x-signature"
        fields.error(text.at, "bad-value", f"{key!r} cannot be {text.value!r:.80}", hint)
        return None
    return name


def _check_distinct(fields: Fields, **headers: str | None) -> None:
    given = [(key, name) for key, name in headers.items() if name]
    for index, (key, name) in enumerate(given):
        if name in [other for _, other in given[:index]]:
            fields.error(fields.place(key), "bad-value", f"{key!r} names a header that another key has", "each its own")


def _prefix(fields: Fields, allowed: re.Pattern[str], hint: str) -> str:
    text = fields.text("prefix")
    if text is None:
        return ""
    if allowed.fullmatch(text.value) is None:
        fields.error(text.at, "bad-value", f"'prefix' cannot be {text.value!r:.80}", hint)
    return text.value


def _signed(fields: Fields) -> SignedText | None:
    tree = fields.tree("signed")
    if tree is None:
        return (Member.BODY,)
    if isinstance(tree, Table):  # `signed: {body}` is a mapping in YAML
        message = "'signed' is to be a text, not a mapping"
        fields.error(tree.at, "wrong-type", message, 'put it into quotation marks: "{timestamp}.{body}"')
        return None
    text = fields.text("signed")
    return None if text is None else _pieces(text, fields)


def _pieces(text: Text, fields: Fields) -> SignedText | None:
    """Return literal texts and members in turn, without the literal texts that are empty."""
    if len(text.value) > _LONGEST_SIGNED:
        fields.error(text.at, "out-of-range", f"'signed' has at most {_LONGEST_SIGNED} characters")
        return None
    literals, names = _MEMBER.split(text.value)[::2], _MEMBER.findall(text.value)
    unknown = [name for name in names if name not in list(Member)]
    if unknown or any(brace in literal for literal in literals for brace in "{}"):
        wrong = f"no `{{{unknown[0]:.40}}}`" if unknown else "no single brace"
        hint = did_you_mean(unknown[0], [member.value for member in Member]) if unknown else ""
        fields.error(text.at, "bad-value", f"there is {wrong} in 'signed'", hint or "{timestamp}, {id} and {body}")
        return None
    if names.count(Member.BODY) != 1 or len(names) != len(set(names)):
        message = "'signed' has {body} once, and {timestamp} and {id} at most once"
        fields.error(text.at, "bad-value", message, "what is not signed could be anybody's")
        return None
    if "" in literals[1:-1]:
        message = "'signed' needs a text between one member and the next"
        hint = "without one, the end of the one could be moved to the beginning of the other"
        fields.error(text.at, "bad-value", message, hint)
        return None
    pieces: list[bytes | Member] = [literals[0].encode()]
    for name, literal in zip(names, literals[1:], strict=True):
        pieces += (Member(name), literal.encode())
    return tuple(piece for piece in pieces if piece)


def _check_members(fields: Fields, signed: SignedText) -> None:
    """Note a member that comes from no header, and a time that is sent and not signed."""
    for member, key in ((Member.TIMESTAMP, "timestamp_header"), (Member.ID, "id_header")):
        if member in signed and not fields.has(key):
            fields.missing(f"{key!r}", f"'signed' has {{{member}}}; the header in which it comes")
    if fields.has("timestamp_header") and Member.TIMESTAMP not in signed:
        hint = "write {timestamp} into 'signed' as the sender does, or leave out 'timestamp_header'"
        fields.error(fields.place("timestamp_header"), "conflicting-keys", "'signed' has no {timestamp}", hint)
