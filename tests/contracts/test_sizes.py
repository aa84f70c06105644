"""What Temporal takes at most."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.json import Json
from contracts.sizes import PAYLOAD_LIMIT_BYTES, excess

SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(SMALL)
def test_small_value_fits(value: Json) -> None:
    """Nothing that is small is refused, whatever its shape."""
    assert excess(value) is None


def test_value_past_the_limit_is_measured() -> None:
    """In bytes as they are sent, not in characters, and wherever the bulk stands."""
    fitting = "x" * (PAYLOAD_LIMIT_BYTES - 2)
    assert excess(fitting) is None
    assert excess(fitting + "x") == PAYLOAD_LIMIT_BYTES + 1
    assert excess("\u00fc" * (PAYLOAD_LIMIT_BYTES // 2)) == PAYLOAD_LIMIT_BYTES + 2
    assert excess({"a": [{"b": fitting}]}) is not None
