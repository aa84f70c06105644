"""Every `saga` command that the documentation names exists, with the options and arguments that it gives to it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile

import click
import pytest

from cli.main import saga
from tests.docs.pages import ROOT, examples, inline_code, text_of

OF_EVENTS = ("dead-letters.md", "event-formats.md", "event-log.md", "events.md", "monitoring.md", "topology.md")
OPTION = re.compile(r"--[a-z][a-z-]*")


def command_lines() -> Iterator[tuple[str, ...]]:
    """Yield each `saga` command line of all examples, in words, without `saga`."""
    texts = [example.text for example in (*examples("sh"), *examples("text"))]
    texts += re.findall(r"^    (saga .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            words = takewhile(lambda word: word not in (">", "|"), shlex.split(line.removeprefix("$ "), comments=True))
            if next(words, "") == "saga":
                yield tuple(words)


def found(words: tuple[str, ...]) -> tuple[click.Command, list[str]]:
    """Return the command that the first words name, and the words that are left."""
    command: click.Command = saga
    left = list(words)
    context = click.Context(saga, info_name="saga")
    while isinstance(command, click.Group) and left and not left[0].startswith("-"):
        name, inner, rest = command.resolve_command(context, left)
        assert inner is not None, name
        context = click.Context(inner, info_name=name, parent=context)
        command, left = inner, rest
    return command, left


def every_option(command: click.Command = saga) -> set[str]:
    """Return the options of a command and of those below it."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if not isinstance(command, click.Group):
        return own
    context = click.Context(command)
    below = (command.get_command(context, name) for name in command.list_commands(context))
    return own.union(*(every_option(each) for each in below if each is not None))


@pytest.mark.parametrize("words", list(command_lines()), ids=" ".join)
def test_command_lines_can_be_parsed(words: tuple[str, ...]) -> None:
    """Each command exists, with the options and arguments that the page gives to it."""
    command, left = found(words)
    command.make_context(words[0], left, parent=click.Context(saga, info_name="saga"))


def named() -> list[tuple[str, str]]:
    """Return each command that a sentence names, with its page."""
    pages = inline_code()
    return sorted((page, code) for page, codes in pages.items() for code in codes if re.match(r"saga [a-z]", code))


@pytest.mark.parametrize(("page", "code"), named())
def test_commands_in_sentences_exist(page: str, code: str) -> None:
    """The command is there, and so are the options beside it."""
    command, left = found(tuple(code.split()[1:]))
    assert {word for word in left if OPTION.fullmatch(word)} - every_option(command) == set(), page
    if isinstance(command, click.Group):
        assert left == [] or command.invoke_without_command, f"{page}: {code}"


@pytest.mark.parametrize("page", OF_EVENTS)
def test_options_in_sentences_exist(page: str) -> None:
    """An option that is named alone is one of some command."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    alone = set(re.findall(r"`(--[a-z-]+)`", text))
    assert alone - every_option() == set()
