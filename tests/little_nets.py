"""Nets small enough to write out their curvature matrices, with examples."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpest.curvature.hessian import Curvature

CLASSES = 3


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.last = nn.GRU(4, 3, batch_first=True), nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.cells(x.view(len(x), 4, 4))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.last = nn.TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
            return self.last(self.block(x.view(len(x), 4, 4)).mean(dim=1))


NETS = {
    "mlp": lambda: nn.Sequential(nn.Linear(16, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, CLASSES)),
    "conv": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16, CLASSES),
    ),
    "gru": Recurrent,
    "transformer": Attention,
}  # fmt: skip
LOSSES = {"cross-entropy": functional.cross_entropy, "squared": functional.mse_loss}


def problem(net: str, loss: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A net, and 7 examples in two batches."""
    torch.manual_seed(1)
    module = NETS[net]().to(dtype)
    inputs = torch.randn(7, 16).to(dtype)
    targets = torch.randint(CLASSES, (7,)) if loss == "cross-entropy" else torch.randn(7, CLASSES).to(dtype)
    return module, list(zip(inputs.split(4), targets.split(4), strict=True))


def dense(operator: Curvature) -> Tensor:
    return torch.stack([operator.product(row) for row in torch.eye(len(operator.theta)).to(operator.theta)])
