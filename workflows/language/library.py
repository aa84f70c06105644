"""The library: all loaded versions of all definitions, and which one a name means.

Frozen data that the worker, the bridge and the command line share. A type name is `id` (the version that takes new
starts) or `id@version` (that one); a pin is `version+digest8` and means exactly one content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.names import pin
from workflows.language.triggers import Definition
from workflows.language.versions import VersionKey, version_key


@dataclass(frozen=True)
class Library:
    """Definitions by id, each with its versions, highest first."""

    versions: Mapping[str, tuple[Definition, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, definitions: Iterable[Definition]) -> Library:
        """Return the library of `definitions`."""
        grouped: dict[str, list[Definition]] = {}
        for definition in definitions:
            grouped.setdefault(definition.id, []).append(definition)
        return cls({name: tuple(sorted(grouped[name], key=_newest_first)) for name in sorted(grouped)})

    def all(self) -> tuple[Definition, ...]:
        """Return every version of every definition, by id, the highest version first."""
        return tuple(definition for versions in self.versions.values() for definition in versions)

    def current(self) -> tuple[Definition, ...]:
        """Return, for each definition, the version that takes new starts."""
        return tuple(versions[0] for versions in self.versions.values())

    def resolve(self, name: str) -> Definition | None:
        """Return what `id` or `id@version` means, or None."""
        identity, _, version = name.partition("@")
        found = self.versions.get(identity, ())
        if not version:
            return found[0] if found else None
        return next((definition for definition in found if definition.version == version), None)

    def pinned(self, identity: str, wanted: str) -> Definition | None:
        """Return the version of the definition `identity` whose pin is `wanted`, or None."""
        found = self.versions.get(identity, ())
        return next((definition for definition in found if pin_of(definition) == wanted), None)

    def type_names(self) -> tuple[str, ...]:
        """Return every workflow type: each id, and each `id@version`."""
        explicit = tuple(f"{definition.id}@{definition.version}" for definition in self.all())
        return tuple(self.versions) + explicit


def pin_of(definition: Definition) -> str:
    """Return the pin of a definition's version."""
    return pin(definition.version, definition.plan.digest)


def _newest_first(definition: Definition) -> _Descending:
    return _Descending(version_key(definition.version))


@dataclass(frozen=True)
class _Descending:
    value: VersionKey

    def __lt__(self, other: _Descending) -> bool:
        return self.value > other.value
