"""The source stage: what values mean, where they stand, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.language.source import MAX_BYTES, read_source
from workflows.language.tree import Items, Position, Scalar, find, plain, scalars


def value_of(text: str) -> object:
    """Return what the value of the key `v` means."""
    source = read_source("t.yaml", text)
    assert source.tree is not None, source.diagnostics
    return plain(source.tree)["v"]


def codes_of(content: str | bytes) -> list[str]:
    """Return the codes of what is wrong with a file."""
    return [diagnostic.code for diagnostic in read_source("t.yaml", content).diagnostics]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, word) for word in ("no", "No", "NO", "yes", "on", "off", "y", "n", "Off", "YES")),
        *((text, text) for text in ("1:30", "2024-01-15", "2024-01-15T10:00:00Z", "1_000", "0b1", "1.2.3", "<<", "=")),
        *((text, text) for text in ("0o8", "0xg", "+", ".", "1e", "e3", "nan", "inf", "tRUE", "nULL")),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ('"no"', "no"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ('"a\\tb\\u00e9\\x41\\/"', "a\tb\u00e9A/"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]),
        ("{1: a, true: b, null: c}", {"1": "a", "true": "b", "null": "c"}),
    ],
)
def test_values_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    """Only null, booleans and JSON-like numbers are more than text."""
    read = value_of(f"v: {written}")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("v: 1\nv: 2", "yaml-duplicate-key"),
        ('{"v": 1, "w": {"x": 1, "x": 2}}', "yaml-duplicate-key"),
        ("1: a\n'1': b", "yaml-duplicate-key"),
        ("v: &a 1\nw: *a", "yaml-alias"),
        ("v: !!binary aGk=", "yaml-tag"),
        ("v: !python/object:os.system x", "yaml-tag"),
        ("v: !!set {a}", "yaml-tag"),
        ("v: !input.x", "yaml-tag"),
        ("v: 1\n---\nw: 2", "yaml-documents"),
        ("? [a]\n: b", "yaml-key"),
        ("{[a]: b}", "yaml-key"),
        ("v:\n\t- a", "yaml-tab"),
        ("v: .inf", "yaml-number"),
        ("v: -.INF", "yaml-number"),
        ("v: .nan", "yaml-number"),
        ("v: 1e999", "yaml-number"),
        ("v: 9223372036854775808", "yaml-number"),
        ("v: " + "9" * 5000, "yaml-number"),
        ("v: ${ x ? 'a': b }", "yaml-expression"),
        ("v: ${ x # y }", "yaml-expression"),
        ("v: {w: ${ x }}", "yaml-expression"),
        ("v: ${ {'a': 1} }", "yaml-expression"),
        ("v: * * * * *", "yaml-syntax"),
        ("v: @x", "yaml-syntax"),
        ("v: `x`", "yaml-syntax"),
        ("v: %x", "yaml-syntax"),
        ("v: a: b", "yaml-syntax"),
        ('v: "a', "yaml-syntax"),
        ("v: [a", "yaml-syntax"),
        ("v: {a", "yaml-syntax"),
        ("v: a]\nw: ]", "yaml-syntax"),
        ("a\nb: c", "yaml-syntax"),
        ("v: 1\n w: 2", "yaml-syntax"),
        ('v: "\\q"', "yaml-syntax"),
        ('{"v": "\\ud83d"}', "yaml-syntax"),
        ("", "source-empty"),
        ("# only a comment", "source-empty"),
        ("   \n\n", "source-empty"),
        (b"\xff\xfea\x00", "source-encoding"),
        (b"v: \xe9", "source-encoding"),
        (b"v: \xed\xa0\x80", "source-encoding"),
        ("v: \x00", "source-encoding"),
        ("v: \x1b[31m", "source-encoding"),
        ("v: a\ufeffb", "source-encoding"),
        ("v: \ud800", "source-encoding"),
        ("#" * (MAX_BYTES + 1), "source-too-large"),
        ("[" * 65, "source-too-deep"),
        ("- " * 65, "source-too-deep"),
        ("[" * 1500 + "]" * 1500, "source-too-deep"),
        ("[" + "1," * 60_000 + "]", "source-too-large"),
        ("%YAML 3.0\n---\nv: 1", "yaml-syntax"),
    ],
)
def test_wrong_files_end_in_one_diagnostic(content: str | bytes, code: str) -> None:
    """Every wrong or hostile file is answered by a diagnostic with a place in the file."""
    source = read_source("t.yaml", content)
    assert [diagnostic.code for diagnostic in source.diagnostics] == [code]
    assert all(each.line >= 1 and each.column >= 1 and each.end_column > each.column for each in source.diagnostics)


def test_alias_bomb_is_refused_at_its_first_alias() -> None:
    """A text of a few hundred bytes that would become millions of values is not expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 8)]
    source = read_source("t.yaml", "\n".join(lines))
    assert [(each.code, each.line) for each in source.diagnostics] == [("yaml-alias", 2)]


def test_leading_zero_is_a_warning() -> None:
    """`012` is twelve by the core schema, and the author hears of it."""
    source = read_source("t.yaml", "v: 012")
    assert [each.severity for each in source.diagnostics] == ["warning"]


def test_byte_order_mark_is_fine() -> None:
    """An editor's mark in front does not count as a character."""
    source = read_source("t.yaml", b"\xef\xbb\xbfv: 1")
    assert source.tree is not None
    assert plain(source.tree) == {"v": 1}
    assert source.tree.at == Position(1, 1, 2)


def test_every_duplicate_is_reported() -> None:
    """Mistakes that leave the rest readable are collected."""
    assert codes_of("a: 1\na: 2\nb: .nan\nb: 3\n") == ["yaml-duplicate-key", "yaml-number", "yaml-duplicate-key"]


JSON = '{"id": "x",\n\t"list": [1, 2.5, -3e2, true, null],\n "text": "\\u00e9\\ud83d\\ude00\\n\\/\\"\\\\ud83d"}'


def test_json_means_what_json_says() -> None:
    """A JSON file gives what a JSON reader gives, surrogate pairs and tabs included."""
    source = read_source("t.json", JSON)
    assert source.diagnostics == ()
    assert source.tree is not None
    assert plain(source.tree) == json.loads(JSON)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcde-_", max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans())
def test_any_json_document_is_read_unchanged(value: object, ascii_only: bool) -> None:
    """What `json.dumps` writes comes back equal, in either escaping."""
    source = read_source("t.json", json.dumps({"v": value}, ensure_ascii=ascii_only, indent=1))
    assert source.diagnostics == ()
    assert source.tree is not None
    assert plain(source.tree) == {"v": value}


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_a_diagnostic(content: bytes) -> None:
    """Random bytes never raise."""
    source = read_source("t", content)
    assert source.tree is not None or source.diagnostics


YAML_PIECES = st.sampled_from(
    [*": - \n\t{}[],&*!|>'\"%@`#?$~", "\n  ", "a", "b: ", "- ", "${", "}", "1", "---\n", "\r\n"]
)


@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_yaml_like_text_gives_a_tree_or_a_diagnostic(text: str) -> None:
    """Texts made of YAML's own marks never raise, and each diagnostic has a place."""
    source = read_source("t", text)
    assert source.tree is not None or source.diagnostics
    assert all(each.line >= 1 and each.column >= 1 for each in source.diagnostics)


PLACES = """\
plain: input.x
quoted: "input.y"
single: 'it''s input.z'
literal: |
  first
    second input.v

  third
folded: >-
  one input.w
list: [{deep: input.u}]
"""


@pytest.mark.parametrize(
    ("path", "part", "line", "column"),
    [
        (["plain"], "input.x", 1, 8),
        (["quoted"], "input.y", 2, 10),
        (["literal"], "first", 5, 3),
        (["literal"], "input.v", 6, 12),
        (["literal"], "third", 8, 3),
        (["folded"], "input.w", 10, 7),
        (["list", 0, "deep"], "input.u", 11, 15),
    ],
)
def test_part_of_a_text_is_placed_exactly(path: list[str | int], part: str, line: int, column: int) -> None:
    """An offset in a value is carried over to the line and column where it stands in the file."""
    tree = read_source("t.yaml", PLACES).tree
    assert tree is not None
    scalar = find(tree, path)
    assert isinstance(scalar, Scalar)
    assert isinstance(scalar.value, str)
    assert scalar.within(scalar.value.index(part), len(part)) == Position(line, column, column + len(part))


def test_part_of_an_escaped_text_is_placed_at_the_whole() -> None:
    """Where text and source differ, the whole value is named rather than a wrong column."""
    tree = read_source("t.yaml", PLACES).tree
    assert tree is not None
    scalar = find(tree, ["single"])
    assert isinstance(scalar, Scalar)
    assert scalar.within(6, 5) == scalar.at


def test_tree_lists_and_finds_its_values() -> None:
    """Paths from `scalars` lead back to the same value; a path that goes too deep ends at the last there is."""
    tree = read_source("t.yaml", PLACES).tree
    assert tree is not None
    assert all(find(tree, path) is scalar for path, scalar in scalars(tree))
    assert isinstance(find(tree, ["list", 5, "x"]), Items)
    assert find(tree, ["nothing"]) is tree
