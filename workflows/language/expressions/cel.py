"""Expressions: CEL, compiled once, evaluated against a run's data.

Google's library parses and computes the text and time functions; evaluation itself is a walk of Python closures, for
which there are three reasons, each measured with the library's evaluator: it converts all data that it is given before
it looks at any (1.4 ms for a list of 5,000 objects, of which one field was wanted; the closures take 1 us), it iterates
maps in an order that differs in each process, and it has no bound on the comparison of lists that share their parts
(18 levels of `[x, x]` took 33 ms, and each further level doubles that, without a way to stop it).

The rules of numbers and equality are in `values`, those of results in `export`, those of missing fields in `access`.
Two more:

- `has(steps.x.output)` and `steps.?x` say no when the step has not run; any other look at it fails.
- `uuid()` takes the run's next one at each evaluation, in the order of evaluation.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from contracts.json import Json
from workflows.language.expressions.evaluate import compile_node, depth_of_variables
from workflows.language.expressions.export import to_json
from workflows.language.expressions.frame import Frame
from workflows.language.expressions.loops import Code
from workflows.language.expressions.model import STEPS, Bindings, ExpressionErrors, ExpressionFailure, Reference
from workflows.language.expressions.nodes import Node
from workflows.language.expressions.parse import parse
from workflows.language.expressions.scope import Survey
from workflows.language.expressions.values import Fault


@dataclass(frozen=True)
class Expression:
    """Compiled CEL; immutable, shared by threads, equal and pickled by its text and names.

    Attributes:
        text: The CEL, as written.
        names: The names in scope beside the usual roots.
        references: The places that it reads, in the order of the text.
        roots: The roots that it reads, without `steps`.
        steps: The underscore names of the steps that it reads, sorted.
        node: Its syntax tree, for the checker.
    """

    text: str
    names: frozenset[str]
    references: tuple[Reference, ...] = field(compare=False, repr=False)
    node: Node = field(compare=False, repr=False)
    code: Code = field(compare=False, repr=False)
    variables: int = field(compare=False, repr=False)

    @property
    def roots(self) -> frozenset[str]:
        """The roots that it reads, without `steps`."""
        return frozenset(reference.root for reference in self.references if reference.root != STEPS)

    @property
    def steps(self) -> tuple[str, ...]:
        """The underscore names of the steps that it reads, sorted."""
        return tuple(sorted({reference.path[0] for reference in self.references if reference.root == STEPS}))

    def evaluate(self, bindings: Bindings) -> Json:
        """Compute the value for a run's data.

        Raises:
            ExpressionFailure: It has no value: a missing field, kinds that do not fit, a number out of range, too much
                work, or a result that is no JSON or larger than 2 MiB.
        """
        try:
            return to_json(self.code(Frame(bindings, self.variables)))
        except Fault as fault:
            raise ExpressionFailure(self.text, fault.message, fault.hint) from None
        except RecursionError:
            raise ExpressionFailure(self.text, "the data is nested too deeply") from None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by text: closures are made again."""
        return compile_expression, (self.text, self.names)


@lru_cache(maxsize=20_000)  # immutable; the checks and the lowering ask for the same ones
def compile_expression(text: str, names: frozenset[str] = frozenset()) -> Expression:
    """Compile bare CEL.

    Args:
        text: The expression, at most 10,000 characters.
        names: Variables in scope beside the usual roots, such as a foreach's `as`.

    Raises:
        ExpressionErrors: It is not CEL, or uses a name or a function that does not exist.
    """
    node = parse(text)
    survey = Survey(text, names)
    survey.visit(node)
    if survey.findings:
        raise ExpressionErrors(survey.findings)
    return Expression(text, names, tuple(survey.references), node, compile_node(node), depth_of_variables(node))
