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


def test_loaders_of_torch_give_batches() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    x, y = blobs()
    rows = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=16)
    one, other = trainer(), trainer(shuffle=False)
    history = one.fit(loader, epochs=3, validation=(torch.tensor(x), torch.tensor(y)))
    expected = other.fit(x, y, epochs=3, batch_size=16)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_array_equal(one.predict(torch.tensor(x)), one.predict(x))
