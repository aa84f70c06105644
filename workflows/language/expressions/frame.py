"""What one evaluation carries: its bindings, its loop variables, and the work that it may still do."""

from workflows.language.expressions.model import Bindings
from workflows.language.expressions.values import Budget


class Frame(Budget):
    """One evaluation; made for each, so that expressions can be shared by threads."""

    __slots__ = ("bindings", "locals")

    def __init__(self, bindings: Bindings, variables: int) -> None:
        """Make room for so many loop variables, each in its own slot."""
        super().__init__()
        self.bindings = bindings
        self.locals: list[object] = [None] * variables
