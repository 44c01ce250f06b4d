"""A sampler exported: a program in C that writes the text which Python writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC

import chainrule as cr
from chainrule import nn, text

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "writer.h"

_Alignas(WRITER_ARENA_ALIGNMENT) static unsigned char arena[WRITER_ARENA_BYTES];

int main(int count, char **given) {
    int32_t prompt[WRITER_MOST_ROWS], tokens[12];
    int64_t seed = atoi(given[1]);
    for (int i = 2; i < count; i++) prompt[i - 2] = atoi(given[i]);
    if (writer_init(arena)) return 9;
    int wrong = writer_call(arena, prompt, &seed, count - 2, tokens);
    for (int i = 0; i < 12 && !wrong; i++) printf("%d ", tokens[i]);
    return wrong;
}
"""
BAD_ARGUMENT, BAD_INDEX = 1, 2


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_c_writes_the_same(tmp_path: Path) -> None:
    model = nn.Transformer(9, width=8, heads=2, layers=1, context=8)
    made = cr.compile(text.sampler(model, 12))
    function = made.bind(made.initial_state(seed=1))
    function.export(tmp_path, name="writer", rows=16, processor="native")
    (tmp_path / "main.c").write_text(PROGRAM)
    assert CC is not None
    command = [CC, "-std=c11", "-Wall", "-Werror", "main.c", "writer.o", "-o", "writer"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)

    def run(*numbers: int) -> subprocess.CompletedProcess[str]:
        arguments = [str(tmp_path / "writer"), *map(str, numbers)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)

    for seed, *prompt in ((5, 1, 2, 3), (-6, 4), (7, *range(9), *range(7))):
        wanted = np.asarray(function(prompt=np.array(prompt, np.int32), seed=seed))
        assert run(seed, *prompt).stdout.split() == [str(token) for token in wanted.tolist()]
    assert run(5).returncode == BAD_ARGUMENT
    assert run(5, 1, 9).returncode == BAD_INDEX
