"""What a cell's step may depend on besides its arguments, gathered in microseconds."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

Facts = tuple[Any, ...]
_OF_ANY_MODULE = frozenset(vars(nn.Module()))
_PLAIN = {bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, type, types.BuiltinFunctionType}
"""Values that say all about themselves."""


def facts_of(module: nn.Module) -> tuple[Facts, bool]:
    """Return (facts, whether they are complete).

    Classes, modes, the shapes and types of tensors and which are one and the same, of all modules, and their further
    attributes. Complete ones are equal only where two cells compute the same from their tensors; other attributes
    (lists, objects) are told by identity, which holds for one cell.
    """
    facts: list[Any] = []
    are_complete = _add_facts(module, facts, {})
    return tuple(facts), are_complete


def _add_facts(module: nn.Module, facts: list[Any], tensors: dict[int, int]) -> bool:
    """`tensors` numbers them in the order in which they are met."""
    own = vars(module)
    facts += (type(module), own["training"])
    are_complete = True
    for held in (own["_parameters"], own["_buffers"]):
        for name, tensor in held.items():
            facts += (name, None) if tensor is None else (name, *_form(tensor, tensors))
    for name, value in own.items():
        if isinstance(value, Tensor):
            facts += (name, *_form(value, tensors))
        elif name not in _OF_ANY_MODULE:
            is_plain = type(value) in _PLAIN or _is_plain(value)
            facts += (name, type(value), value if is_plain else id(value))
            are_complete &= is_plain
    for hook in (*own["_forward_hooks"].values(), *own["_forward_pre_hooks"].values()):
        facts.append(id(hook))
        are_complete = False
    for name, part in own["_modules"].items():
        facts.append(name)
        if part is not None:
            are_complete &= _add_facts(part, facts, tensors)
    facts.append(None)
    return are_complete


def _form(tensor: Tensor, tensors: dict[int, int]) -> tuple:
    return tensor.shape, tensor.dtype, tensor.device, tensors.setdefault(id(tensor), len(tensors))


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, tuple(_PLAIN)) or (isinstance(value, types.FunctionType) and not value.__closure__)


@contextlib.contextmanager
def left_alone(module: nn.Module) -> Iterator[list[str]]:
    """Undo what is set on a module and its parts meanwhile; afterwards, the list has the attributes that were."""
    before = [(part, dict(vars(part))) for part in module.modules()]
    changed: list[str] = []
    try:
        yield changed
    finally:
        changed += [name for part, own in before for name in _changed(vars(part), own)]
        for part, own in before:
            vars(part).update(own)
            for name in vars(part).keys() - own.keys():
                del vars(part)[name]


def _changed(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    names = now.keys() | before.keys()
    return sorted(name for name in names if now.get(name, before) is not before.get(name, now))
