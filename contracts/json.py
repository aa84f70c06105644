"""What a JSON document is in Python: the type of every input, output and expression result.

Recursive type aliases need Python 3.12's `type` statement to be spelt without quotes; this one works on 3.11 and is
understood by mypy. Dates, bytes and other Python objects are not JSON: whoever has them turns them into text first.
"""

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
