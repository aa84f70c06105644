"""What can be wrong with an archive."""

from __future__ import annotations

from contracts.errors import PermanentError, TemporaryError


class ArchiveDamagedError(PermanentError):
    """The archive is damaged, and nothing was changed; get the file named here from a backup."""

    code = "archive-damaged"


class NotArchivedError(PermanentError):
    """This day is not in the archive; `saga events archive list` shows which are."""

    code = "not-archived"


class ArchiveRefusedError(PermanentError):
    """The archive cannot be used; check its location, and that it may be read and written."""

    code = "archive-refused"


class ArchiveUnfinishedError(TemporaryError):
    """What was read back from the archive is not what was written, so the day stays in the log; try again."""

    code = "archive-unfinished"
