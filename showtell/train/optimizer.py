"""The optimiser of a phase, and its learning rate schedule."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from showtell.train.recipe import Phase, Recipe


def rate_at(done: float, phase: Phase) -> float:
    """Return the learning rate factor at `done` (0..1) of a phase: linear warmup, then a cosine."""
    if done < phase.warmup:
        return done / phase.warmup
    cosine = (1 + math.cos(math.pi * (done - phase.warmup) / (1 - phase.warmup))) / 2
    return phase.floor + (1 - phase.floor) * cosine


def make_optimizer(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser; the learning rates are set in `groups` before each step."""
    decay = recipe.weight_decay
    if recipe.optimizer == "rmsprop":
        # decay and momentum of the paper's released code
        return torch.optim.RMSprop(groups, alpha=0.95, momentum=0.9, weight_decay=decay)
    return torch.optim.AdamW(groups, weight_decay=decay)


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load the tensors of a checkpoint into an optimiser."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
