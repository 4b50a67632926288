"""Where torch computes."""

import torch

from hierarchy.errors import ConfigError, first_line


def device_of(name: str | None) -> torch.device:
    """Return a device on which something was computed already.

    Parameters
    ----------
    name
        As torch has it, ``cpu`` or ``cuda:1``; None takes a GPU where there is one.

    Raises
    ------
    ConfigError
        torch does not know it, or this machine has none.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        reason = first_line(error)[:100]
        raise ConfigError(
            f"device {name!r} cannot be used here ({reason}): name cpu, or another device of this machine"
        ) from None
    return device
