"""The state: what it holds, and its files under every fault that can be made here."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from chainc.ir.errors import DTypeError, InputError, StateError
from chainrule.compiled.state import HEADER_LIMIT, State
from chainrule.declare.leaves import parameter

HERE = r"\n  where: .*test_state\.py:\d+\n  try: "


def example() -> State:
    return State(
        {
            "model/linear1/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
            "step": np.int64(1797),
            "mask": np.array([True, False, True]),
            "empty": np.zeros((0, 3)),
            "pixels": np.array([0, 255], np.uint8),
            "größe": np.array([np.nan, np.inf, -0.0]),
            "index": np.array([[-1], [2]], np.int32),
        }
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    example().save(path)
    return path


# --- the mapping


def test_it_is_a_mapping_of_names_to_read_only_arrays() -> None:
    given = np.ones(3, np.float32)
    state = State({"a": given, "b": np.int64(2)})
    given[0] = 9
    assert list(state) == ["a", "b"]
    assert len(state) == 2
    assert "a" in state
    assert "c" not in state
    assert state.get("c") is None
    assert state["a"].tolist() == [1, 1, 1]
    assert state["b"].shape == ()
    with pytest.raises(ValueError, match="read-only"):
        np.copyto(state["a"], 0)


def test_a_slot_s_node_is_as_good_as_its_name() -> None:
    weight = parameter("weight", (2,), 1.0)
    assert State({"weight": np.zeros(2)})[weight].tolist() == [0, 0]


def test_states_are_equal_bit_for_bit() -> None:
    assert example() == example()
    assert hash(example()) == hash(example())
    assert State({"a": np.float32(0.0)}) != State({"a": np.float32(-0.0)})
    assert State({"a": np.float32(1)}) != State({"a": np.float64(1)})
    assert State({"a": np.zeros((2, 1))}) != State({"a": np.zeros((1, 2))})
    assert State({"a": np.zeros(1)}) != State({"b": np.zeros(1)})
    assert State({"a": np.zeros(1)}) != {"a": np.zeros(1)}
    assert State({"a": np.ones(1), "b": np.zeros(1)}) == State({"b": np.zeros(1), "a": np.ones(1)})


def test_it_prints_what_it_holds() -> None:
    assert repr(State({"a": np.zeros((2, 3), np.float32)})) == "State(\n  a: float32 (2, 3)\n)"


def test_a_missing_name_is_told_with_those_that_exist() -> None:
    with pytest.raises(StateError, match=rf"^there is no value 'c' in .*{HERE}its names are a, b$"):
        State({"a": np.zeros(1), "b": np.zeros(1)})["c"]
    with pytest.raises(KeyError):
        State({})["c"]


@pytest.mark.parametrize("name", ["", "a\nb", "__metadata__", "\ud800"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"is no name of a value{HERE}give names such as"):
        State({name: np.zeros(1)})


def test_values_that_would_be_misread_are_refused() -> None:
    with pytest.raises(InputError, match=r"^State: a is a masked array"):
        State({"a": np.ma.masked_array([1.0], mask=[True])})
    with pytest.raises(DTypeError, match=r"^State: a has element type object"):
        State({"a": np.array([None])})


# --- the file


def test_what_is_saved_is_loaded_bit_for_bit(saved: Path) -> None:
    loaded = State.load(saved)
    assert loaded == example()
    for name, value in example().items():
        assert loaded[name].dtype == value.dtype
        assert loaded[name].tobytes() == value.tobytes()
        assert not loaded[name].flags.writeable


def test_other_programs_read_the_file(saved: Path) -> None:
    tensors = safetensors.numpy.load_file(saved)
    assert set(tensors) == set(example())
    assert np.array_equal(tensors["index"], [[-1], [2]])


def test_equal_states_give_equal_files(saved: Path, tmp_path: Path) -> None:
    State.load(saved).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_an_empty_state_has_a_file_too(tmp_path: Path) -> None:
    State({}).save(tmp_path / "empty.safetensors")
    assert len(State.load(tmp_path / "empty.safetensors")) == 0


def test_saving_replaces_the_file_and_leaves_nothing_else(saved: Path) -> None:
    State({"a": np.zeros(1)}).save(saved)
    assert list(State.load(saved)) == ["a"]
    assert list(saved.parent.iterdir()) == [saved]


def test_saving_takes_a_text_as_path(tmp_path: Path) -> None:
    example().save(str(tmp_path / "text"))
    assert State.load(str(tmp_path / "text")) == example()


# --- damage


def damaged(content: bytes, folder: Path) -> str:
    """What State.load says of a file with this content."""
    path = folder / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(StateError) as caught:
        State.load(path)
    assert type(caught.value) is StateError
    assert caught.value.hint
    assert path.name in caught.value.what
    return caught.value.what


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_change_of_any_byte_is_found(tmp_path: Path, flip: int) -> None:
    State({"w": np.arange(3, dtype=np.float32), "b": np.array([True, False])}).save(
        tmp_path / "small"
    )
    content = (tmp_path / "small").read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= flip
        damaged(bytes(changed), tmp_path)


def test_a_file_cut_short_or_grown_is_refused(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    for length in range(0, len(content), 7):
        damaged(content[:length], tmp_path)
    damaged(content + b"\0", tmp_path)


def test_the_message_names_the_damaged_tensor(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    position = content.index(np.float32(4).tobytes(), content.index(b"}}  ") - 2)
    content[position + 3] ^= 1
    message = damaged(bytes(content), tmp_path)
    assert "the bytes of 'model/linear1/weight' do not match their checksum" in message


def rewritten(header: object, data: bytes) -> bytes:
    """A file with another header, as a stranger may write it."""
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes: object) -> Mapping[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"w": entry(dtype="F16")}, "describes 'w' in a way that State.save does not"),
        ({"w": entry(stride=[1])}, "describes 'w' in a way"),
        ({"w": [1, 2]}, "describes 'w' in a way"),
        ({"w": entry()}, "carries no checksums: State.save did not write it"),
        ({"__metadata__": {"format": "pt"}, "w": entry()}, "carries no checksums"),
        ({"__metadata__": {"chainrule": "{"}, "w": entry()}, "its checksums are not readable"),
        ({"__metadata__": {"chainrule": "[]"}, "w": entry()}, "its checksums are not readable"),
        ({"__metadata__": {"chainrule": "{}"}, "w": entry()}, "its checksums are not readable"),
        ([], "its header is not as written"),
        ({str(i): entry() for i in range(100_001)}, "declares more than 100,000 tensors"),
    ],
)
def test_headers_that_save_does_not_write_are_refused(
    header: object, message: str, tmp_path: Path
) -> None:
    assert message in damaged(rewritten(header, bytes(8)), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [2**62, 4]},
        {"shape": [2**64]},
        {"shape": [-2]},
        {"data_offsets": [0, 2**60]},
        {"data_offsets": [8, 0]},
        {"data_offsets": [0]},
        {"shape": "2"},
    ],
)
def test_sizes_that_do_not_fit_the_file_are_refused_before_memory_is_taken(
    change: Mapping[str, object], tmp_path: Path
) -> None:
    told = {"all": "", "tensors": {"w": ""}}
    header = {"__metadata__": {"chainrule": json.dumps(told)}, "w": entry(**change)}
    assert "is damaged or no state file" in damaged(rewritten(header, bytes(8)), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"w":' * 50_000,
        b"1" * 5000,
        b'{"a":1,"a":1}',
        b'{"a" :1}',
        b"\xff\xfe",
        b'"\\ud800"',
    ],
)
def test_headers_made_to_hurt_are_refused(text: bytes, tmp_path: Path) -> None:
    damaged(len(text).to_bytes(8, "little") + text, tmp_path)


def test_a_long_header_is_not_even_read(tmp_path: Path) -> None:
    length = HEADER_LIMIT + 8
    message = damaged(length.to_bytes(8, "little") + bytes(length), tmp_path)
    assert "its header is too long" in message


def test_bytes_that_are_no_booleans_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask"
    State({"m": np.array([2, 1], np.uint8).view(np.bool_)}).save(path)
    assert "'m' holds bytes that are no Booleans" in damaged(path.read_bytes(), tmp_path)


def test_files_above_the_limit_are_not_read(saved: Path) -> None:
    with pytest.raises(
        StateError, match=rf"holds [\d,]+ bytes, more than the limit of 100{HERE}pass"
    ):
        State.load(saved, limit=100)
    assert State.load(saved, limit=saved.stat().st_size) == example()


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=rf"cannot read .*: No such file.*{HERE}give the path"):
        State.load(tmp_path / "missing")
    with pytest.raises(StateError, match=rf"is no regular file{HERE}give a file"):
        State.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StateError, match="is no regular file"):
        State.load(tmp_path / "pipe")


# --- faults while saving


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """The superuser may write anywhere, so the test takes another user's place for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    example().save(tmp_path / "kept")  # also loads what saving needs, while that is allowed
    tmp_path.chmod(0o555)
    with (
        without_privileges(),
        pytest.raises(
            StateError, match=rf"cannot save .*: Permission denied{HERE}choose a folder in"
        ),
    ):
        State({"a": np.zeros(1)}).save(tmp_path / "kept")
    tmp_path.chmod(0o755)
    assert State.load(tmp_path / "kept") == example()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=rf"cannot save .*: No such file.*{HERE}make the folder"):
        example().save(tmp_path / "missing" / "file")


def test_a_folder_in_the_file_s_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        StateError, match=rf"cannot save .*: Is a directory{HERE}give the name of a f"
    ):
        example().save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_that_may_not_grow_is_told_and_the_old_one_stays(saved: Path) -> None:
    before = saved.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(
            StateError, match=rf"cannot save .*: File too large{HERE}choose a folder"
        ):
            State({"a": np.zeros(5000)}).save(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_full_disk_is_told_and_the_old_file_stays(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match=rf"cannot save .*: No space left.*{HERE}free some space"):
        State({"a": np.zeros(5)}).save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


KILLED = """
import os, signal, sys, time
import numpy as np
from chainrule.compiled.state import State

path = sys.argv[1]
states = [State({"w": np.full(20_000, i, np.float32), "i": np.int64(i)}) for i in (1, 2)]
states[0].save(path)
killed_while_saving = 0
for attempt in range(40):
    child = os.fork()
    if child == 0:
        while True:
            for state in states:
                state.save(path)
    time.sleep(0.002 + 0.0007 * (attempt % 10))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if State.load(path) not in states:
        sys.exit("half a file")
    folder = os.path.dirname(path)
    leftovers = [name for name in os.listdir(folder) if name != os.path.basename(path)]
    killed_while_saving += bool(leftovers)
    for name in leftovers:
        os.unlink(os.path.join(folder, name))
print(killed_while_saving)
"""


def test_a_file_has_the_bytes_that_the_library_of_safetensors_writes(saved: Path) -> None:
    with safetensors.safe_open(saved, "numpy") as file:
        assert saved.read_bytes() == safetensors.numpy.save(dict(example()), file.metadata())


def test_kill_9_while_saving_leaves_one_whole_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model.safetensors")]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # one thread, so a fork is safe
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0  # some of the kills did hit a file half written
