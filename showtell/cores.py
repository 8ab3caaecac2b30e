"""Number of cores that this process may use; can be fewer than the machine has."""

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores() -> int:
    """Return the number of cores that this process may use, at least one.

    Respects CPU affinity (``taskset``, cpusets) and CPU quotas of control groups, such as those of
    containers, rounded up to whole cores.
    """
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return max(1, math.ceil(min(usable, _quota(_OWN, _CGROUPS))))


def _quota(own: Path, root: Path) -> float:
    """Return the CPU quota of this process in cores, from control groups of version 1 or 2.

    Parameters
    ----------
    own : file with the groups of this process, such as ``/proc/self/cgroup``.
    root : mount point of the groups.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    quotas = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = [root] if not controllers else [root / controllers, root / "cpu"]
        inside = Path(path.strip("/"))
        # In a container, the path is that on the host, but the group is mounted at the root.
        quotas += [_limit(m / group) for m in mounts for group in (inside, *inside.parents)]
    return min(quotas)


def _limit(group: Path) -> float:
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((group / name).read_text(encoding="utf-8") for name in names)
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # no limit, or "max"
        return math.inf
