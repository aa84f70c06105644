"""The library: all loaded versions of all definitions, and which one a name means.

Frozen data that the worker, the bridge and the command line share. A type name is `id@version` (that one) or `id`:
then the rollouts of its versions decide (see `rollout`), for each run anew. Where no rollout takes a run it is for
the *leading* version, the highest that takes everything; that one's triggers and schedules are those of the
definition. A pin is `version+digest8` and means exactly one content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from contracts.json import Json
from contracts.names import pin
from workflows.language.rollout import ALL, place_of, takes
from workflows.language.triggers import Definition
from workflows.language.versions import VersionKey, version_key

Percentages = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Library:
    """Definitions by id, each with its versions, highest first.

    Attributes:
        versions: The definitions.
        percentages: Rollouts that an operator set, by id and version; they count instead of those in the files.
    """

    versions: Mapping[str, tuple[Definition, ...]] = field(default_factory=dict)
    percentages: Percentages = field(default_factory=dict)

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
        """Return the leading version of each definition: it takes the new runs that no rollout takes."""
        return tuple(self._leading(versions) for versions in self.versions.values())

    def resolve(self, name: str) -> Definition | None:
        """Return what `id` (its leading version) or `id@version` means, or None."""
        identity, _, version = name.partition("@")
        found = self.versions.get(identity, ())
        if not version:
            return self._leading(found) if found else None
        return next((definition for definition in found if definition.version == version), None)

    def choose(self, name: str, key: str, given: Json) -> Definition | None:
        """Return the version that a new run follows, or None where there is none; `id@version` is that one.

        Args:
            name: The workflow type that is started.
            key: Business key of the run.
            given: Its input.
        """
        identity, _, version = name.partition("@")
        found = self.versions.get(identity, ())
        if version or len(found) < 2:  # noqa: PLR2004 - one version leaves no choice
            return self.resolve(name)
        for definition in found:
            percent = self.percent(definition)
            if percent >= ALL or takes(percent, place_of(identity, _sticky_value(definition, key, given))):
                return definition
        return found[-1]

    def percent(self, definition: Definition) -> float:
        """Return the percentage of a version's rollout, 0 to 100: an operator's, else the file's, else all."""
        written = ALL if definition.rollout is None else definition.rollout.percent
        return self.percentages.get((definition.id, definition.version), written)

    def shares(self, identity: str) -> tuple[tuple[Definition, float], ...]:
        """Return how many percent of the new runs each version takes, as long as all are sticky by the same value."""
        versions, taken, shares = self.versions.get(identity, ()), 0.0, []
        for definition in versions:
            reached = ALL if definition is versions[-1] else max(taken, self.percent(definition))
            shares.append((definition, reached - taken))
            taken = reached
        return tuple(shares)

    def only(self, identity: str) -> Library:
        """Return the library of one definition."""
        return replace(self, versions={identity: self.versions[identity]})

    def with_percentages(self, percentages: Percentages) -> Library:
        """Return the same definitions with the rollouts that an operator set."""
        return replace(self, percentages=percentages)

    def _leading(self, versions: tuple[Definition, ...]) -> Definition:
        return next((each for each in versions if self.percent(each) >= ALL), versions[-1])

    def pinned(self, identity: str, wanted: str) -> Definition | None:
        """Return the version of the definition `identity` whose pin is `wanted`, or None."""
        found = self.versions.get(identity, ())
        return next((definition for definition in found if pin_of(definition) == wanted), None)

    def type_names(self) -> tuple[str, ...]:
        """Return every workflow type: each id, and each `id@version`."""
        explicit = tuple(f"{definition.id}@{definition.version}" for definition in self.all())
        return tuple(self.versions) + explicit


def _sticky_value(definition: Definition, key: str, given: Json) -> str:
    return key if definition.rollout is None else definition.rollout.sticky_value(key, given)


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
