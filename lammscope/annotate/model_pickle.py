"""Pickled models of scikit-learn, read without running any code of the file.

A pickle is a program: it names functions and calls them. Here each name stands for a plain holder
of data of our own, and any other name is refused. Neither scikit-learn nor numpy's constructors are
called, so damaged states cannot reach them either.
"""

import pickle
import pickletools
import re
from io import BytesIO
from math import prod
from typing import Any, cast

import numpy as np

ESTIMATORS = {
    "LogisticRegression": r"sklearn\.linear_model\._?logistic",
    "LogisticRegressionCV": r"sklearn\.linear_model\._?logistic",
    "SGDClassifier": r"sklearn\.linear_model\._?stochastic_gradient",
    "StandardScaler": r"sklearn\.preprocessing\._?data",
}
# Loss functions that an SGD classifier keeps; they are of compiled classes of scikit-learn
LOSSES = r"sklearn\.linear_model\._?sgd_fast|sklearn\._loss\._?loss"
NUMPY = r"numpy\.(core|_core)\.(multiarray|numeric)"
DTYPE = re.compile(r"[<>|=]?([biuf][1248]?|[US]\d*|O8?)")
# What a model needs of pickle's instructions: no persistent ids, extensions, or old-style instances
REFUSED = {
    *("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX"),
    *("NEXT_BUFFER", "READONLY_BUFFER"),
}


class _Sealed(type):
    """A class whose attributes a pickle cannot replace."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"sets {name} of a class")


class Held(metaclass=_Sealed):
    """An object of the pickle as its plain data, by the names of its attributes."""

    __slots__ = ("state",)
    state: dict[str, Any]

    def __new__(cls, *_: object) -> "Held":
        """Ignore the arguments of its constructor."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: object) -> None:
        """Keep its attributes."""
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an object without named attributes")
        self.state = state


class HeldType(Held):
    """A dtype: its letters, and its order of bytes."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: object = "", *_: object) -> "HeldType":
        """Accept numbers, text and objects; no fields, and nothing nested."""
        if not isinstance(text, str) or not DTYPE.fullmatch(text):
            raise pickle.UnpicklingError(f"an array of {str(text)[:40]}, not of numbers or names")
        made = cast(HeldType, super().__new__(cls))
        made.text = text
        return made

    def __setstate__(self, state: object) -> None:
        """Take the order of bytes from numpy's state; fields and subarrays are refused."""
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise pickle.UnpicklingError("an array with fields, not of numbers or names")
        if state[1] in ("<", ">"):
            self.text = state[1] + self.text.lstrip("<>|=")


class HeldArray(Held):
    """An array, made from its bytes by us."""

    __slots__ = ("values",)
    values: np.ndarray

    def __setstate__(self, state: object) -> None:
        """Build the array from numpy's state: version, shape, dtype, order and bytes or objects."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("an array of an unknown form")
        _, shape, dtype, by_column, data = state
        self.values = _array(data, dtype, shape, "F" if by_column else "C")


class _Named:
    """A function that a pickle may name: ours, in the place of numpy's."""

    __slots__ = ("make",)
    make: Any

    def __init__(self, make: Any) -> None:
        object.__setattr__(self, "make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"sets {name} of a function")


class _Reader(pickle.Unpickler):
    """An unpickler that knows what a model needs, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return our holder for a name."""
        if name in ESTIMATORS and re.fullmatch(ESTIMATORS[name], module):
            return Held
        if re.fullmatch(LOSSES, module) and name.isidentifier():
            return Held
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        if re.fullmatch(NUMPY, module) and name in FROM_NUMPY:
            return FROM_NUMPY[name]
        raise pickle.UnpicklingError(f"names `{module}.{name}`, which no such model needs")


def read_model_pickle(content: bytes) -> Any:
    """Return the content of a pickled model: dicts, lists, text and numbers, `Held`, arrays.

    Raises
    ------
    pickle.UnpicklingError
        If it names or does anything that a model does not need; nothing of it has run.
    """
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name in REFUSED:
            raise pickle.UnpicklingError(f"has the instruction {instruction.name}")
        if instruction.name.endswith("PUT") and int(argument or 0) > len(content):
            raise pickle.UnpicklingError("has more places than bytes")
    return _Reader(BytesIO(content)).load()


def array_of(value: object) -> np.ndarray:
    """Return an array of the pickle as a numpy array."""
    return value.values if isinstance(value, HeldArray) else np.asarray(value)


def _array(data: object, dtype: object, shape: object, order: str) -> np.ndarray:
    """Make an array whose bytes, or list of texts, have the size that its shape says."""
    is_shape = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not isinstance(dtype, HeldType) or not is_shape or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array of an unknown form")
    sizes: Any = shape
    if dtype.text.lstrip("<>|=").startswith("O"):
        if not isinstance(data, list) or not all(isinstance(text, str) for text in data):
            raise pickle.UnpicklingError("an array of objects that are not text")
        values: np.ndarray = np.array(data, dtype=object)
    elif isinstance(data, bytes | bytearray):
        values = np.frombuffer(bytes(data), dtype=np.dtype(dtype.text))
    else:
        raise pickle.UnpicklingError("an array without its bytes")
    if len(values) != prod(sizes):
        raise pickle.UnpicklingError("an array whose bytes do not fit its shape")
    return np.reshape(values, sizes, order="F" if order == "F" else "C")


def _reconstruct(kind: object, *_: object) -> HeldArray:
    if kind is not HeldArray:
        raise pickle.UnpicklingError("an array of another class")
    return HeldArray()


def _frombuffer(data: object, dtype: object, shape: object, order: str) -> HeldArray:
    made = _reconstruct(HeldArray)
    made.values = _array(data, dtype, shape, order)
    return made


def _scalar(dtype: object, data: object = b"") -> object:
    return _array(data, dtype, (1,), "C")[0]


def _encode(text: object, how: object = "latin1") -> bytes:
    if not isinstance(text, str) or how not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in an unknown code")
    return text.encode("latin1")


def _remade(kind: object, base: object, _: object) -> Held:
    if kind is not Held or base is not OBJECT:
        raise pickle.UnpicklingError("an object of an unknown form")
    return Held()


OBJECT = _Named(lambda *_: None)  # stands for Python's `object`, and makes nothing
FROM_NUMPY = {
    "_reconstruct": _Named(_reconstruct),
    "scalar": _Named(_scalar),
    "_frombuffer": _Named(_frombuffer),
}
KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): HeldArray,
    ("numpy", "dtype"): HeldType,
    ("_codecs", "encode"): _Named(_encode),
    ("copyreg", "_reconstructor"): _Named(_remade),
    ("copy_reg", "_reconstructor"): _Named(_remade),
    ("builtins", "object"): OBJECT,
    ("__builtin__", "object"): OBJECT,
}
