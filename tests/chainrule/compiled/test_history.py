"""The history of a run, asked for what it does not have."""

import pytest

from chainc.ir.errors import StateError
from chainrule.compiled.history import History

HERE = r"\n  where: .*test_history\.py:\d+\n  try: "


def test_a_missing_name_is_told_with_those_that_exist() -> None:
    with pytest.raises(KeyError, match=rf"^there is no 'acc' in this history{HERE}.* are loss$"):
        History(loss=(1.0,))["acc"]
    with pytest.raises(StateError, match=rf"'val_loss'.*{HERE}.* loss; val_\.\.\. come with valid"):
        History(loss=(1.0,))["val_loss"]
    assert History(loss=(1.0,)).get("acc") is None
