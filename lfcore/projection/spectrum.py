"""The spatial frequencies of the lenslet grid and the symmetries that relate them.

With ``H(k)`` the operator's matrix at lenslet frequency ``k`` and ``s`` a symmetry of the square,
``H(s k)[s p, s q] = H(k)[p, q]``. Real data need the half plane ``kx >= 0`` only, so each stored matrix serves up to
four frequencies (*members*).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from lfcore.projection.cell import Index, is_odd

Complex = npt.NDArray[np.complexfloating]

SQUARE_LIMIT = 1.5


def grid_lenslets(rows: int, columns: int) -> tuple[int, int]:
    """Size of the periodic lenslet grid that holds ``rows`` x ``columns`` lenslets.

    Square when that costs less than half as much again: a square grid shares each matrix between twice as many
    frequencies.
    """
    down, right = next_fast_len(rows, real=True), next_fast_len(columns, real=True)
    side = max(down, right)
    return (side, side) if side * side <= SQUARE_LIMIT * down * right else (down, right)


@dataclass(frozen=True)
class FrequencyGroups:
    """Which frequencies share a matrix.

    ``ky``, ``kx``: (group,) frequency of the stored matrix. ``members``: (group, member) index into the flattened
    (Ly, Lx // 2 + 1) half plane. ``mirrored``, ``exchanged``: (member,) whether the member is reached by a mirror in y
    and by exchanging the axes (exchange first).
    """

    ky: Index
    kx: Index
    members: Index
    mirrored: tuple[bool, ...]
    exchanged: tuple[bool, ...]


def frequency_groups(lenslets_y: int, lenslets_x: int) -> FrequencyGroups:
    """Groups of the half plane of a ``lenslets_y`` x ``lenslets_x`` grid."""
    width = lenslets_x // 2 + 1
    square = lenslets_y == lenslets_x
    ky, kx = np.meshgrid(np.arange(lenslets_y // 2 + 1), np.arange(width), indexing="ij")
    keep = kx <= ky if square else np.full(ky.shape, True)
    ky, kx = ky[keep], kx[keep]
    members = [ky * width + kx, (-ky) % lenslets_y * width + kx]
    if square:
        members += [kx * width + ky, (-kx) % lenslets_y * width + ky]
    return FrequencyGroups(
        ky,
        kx,
        np.stack(members, axis=1),
        mirrored=(False, True, False, True)[: len(members)],
        exchanged=(False, False, True, True)[: len(members)],
    )


@dataclass(frozen=True)
class ChannelMap:
    """How the channels of one cell (flattened parity basis, n x n) of each member enter the shared real matrix.

    ``order``: (member, channel) gather index. ``factor``: (member, channel) unit complex factor that makes the matrix
    real.
    """

    order: Index
    factor: Complex


def channel_map(length: int, groups: FrequencyGroups, dtype: npt.DTypeLike) -> ChannelMap:
    """The map for cells of ``length`` x ``length`` channels; ``dtype`` is the complex type of the factors."""
    odd_y, odd_x = np.meshgrid(is_odd(length), is_odd(length), indexing="ij")
    index = np.arange(length * length).reshape(length, length)
    orders, factors = [], []
    for mirrored, exchanged in zip(groups.mirrored, groups.exchanged, strict=True):
        order = index.T if exchanged else index
        sign = np.where((odd_x if exchanged else odd_y) & mirrored, -1.0, 1.0)
        orders.append(order.ravel())
        factors.append((np.where(odd_y ^ odd_x, -1j, 1.0) * sign).ravel())
    return ChannelMap(np.stack(orders), np.stack(factors).astype(dtype))
