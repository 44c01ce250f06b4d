"""The workloads of sequences in PyTorch, as users write them; None where it is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.images import Run


def _torch() -> Any:
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def _trained(torch: Any, model: Any, optimizer: Any, data: Any, batch: int, clip: bool) -> Run:
    x, y = (torch.tensor(part).long() for part in data)

    def run() -> None:
        for start in range(0, len(x), batch):
            rows = slice(start, start + batch)
            optimizer.zero_grad()
            scores = model(x[rows])
            torch.nn.functional.cross_entropy(scores.transpose(1, 2), y[rows]).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    run()
    return run


def torch_recurrent(kind: str, data: Any, size: Any, characters: int) -> Run | None:
    torch = _torch()
    if torch is None:
        return None
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(characters, characters)
            self.layer = getattr(nn, kind)(characters, size.width, batch_first=True)
            self.head = nn.Linear(size.width, characters)

        def forward(self, x: Any) -> Any:
            every, _ = self.layer(self.embedding(x))
            return self.head(every)

    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return _trained(torch, model, optimizer, data, size.batch, clip=False)


def _gpt(torch: Any, size: Any, characters: int, layers: int, heads: int) -> Any:
    nn, functional, width = torch.nn, torch.nn.functional, size.width

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
            self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def attend(self, x: Any, cache: Any = None) -> tuple[Any, Any]:
            parts = self.project(self.before_attention(x)).chunk(3, -1)
            shape = *x.shape[:2], heads, width // heads
            q, k, v = (part.view(shape).transpose(1, 2) for part in parts)
            if cache is not None:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            found = functional.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
            return self.merge(found.transpose(1, 2).reshape(x.shape)), (k, v)

        def forward(self, x: Any, cache: Any = None) -> tuple[Any, Any]:
            attended, cache = self.attend(x, cache)
            x = x + attended
            return x + self.narrow(functional.gelu(self.wide(self.before_mlp(x)))), cache

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(characters, width)
            self.positions = nn.Parameter(torch.randn(size.time, width) * 0.02)
            self.blocks = nn.ModuleList(Block() for _ in range(layers))
            self.last = nn.LayerNorm(width)
            self.head = nn.Linear(width, characters, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.embedding(tokens) + self.positions
            for block in self.blocks:
                x, _ = block(x)
            return self.head(self.last(x))

        def next(self, tokens: Any, place: int, caches: Any) -> tuple[Any, Any]:
            there = self.positions[place : place + tokens.shape[1]]
            x, found = self.embedding(tokens) + there, []
            for block, cache in zip(self.blocks, caches, strict=True):
                x, kept = block(x, cache)
                found.append(kept)
            return self.head(self.last(x[:, -1])), found

    return Network()


def torch_gpt(data: Any, size: Any, characters: int, layers: int, heads: int) -> Run | None:
    torch = _torch()
    if torch is None:
        return None
    model = _gpt(torch, size, characters, layers, heads)
    parameters = model.parameters()
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    return _trained(torch, model, optimizer, data, size.batch, clip=True)


def torch_sampler(size: Any, characters: int, layers: int, heads: int, length: int) -> Run | None:
    """Eager, with a cache of keys and values; from the last half where the context is full."""
    torch = _torch()
    if torch is None:
        return None
    model = _gpt(torch, size, characters, layers, heads).eval()

    def run() -> None:
        tokens, place, caches = torch.zeros(1, 1, dtype=torch.long), 0, [None] * layers
        written = [tokens]
        with torch.no_grad():
            while len(written) <= length:
                scores, caches = model.next(tokens, place, caches)
                place += tokens.shape[1]
                tokens = torch.multinomial(torch.softmax(scores / 0.8, -1), 1)
                written.append(tokens)
                if place == size.time:
                    tokens = torch.cat(written[-size.time // 2 :], 1)
                    place, caches = 0, [None] * layers

    return run


def torch_attention(arrays: Sequence[Any]) -> Run | None:
    torch = _torch()
    if torch is None:
        return None
    given = [torch.tensor(each, requires_grad=True) for each in arrays]
    fused = torch.nn.functional.scaled_dot_product_attention

    def run() -> None:
        for each in given:
            each.grad = None
        fused(*given, is_causal=True).sum().backward()

    return run
