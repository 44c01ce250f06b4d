"""A trainer fits tables of pandas, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.fitting.classifiers import blobs, trainer

pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")


def test_tables_are_read() -> None:
    x, y = blobs()
    frame, labels = pandas.DataFrame(x, columns=list("abcd")), pandas.Series(y)
    one = trainer()
    assert one.fit(frame, labels, epochs=2, validation=0.2) == trainer().fit(
        x, y, epochs=2, validation=0.2
    )
    np.testing.assert_array_equal(one.predict(frame), one.predict(x))
    assert one.fit(frame, labels.to_frame(), epochs=1)["loss"][0] < 2
