"""How a run is carried out: its device and input, its workers, the lock on its folder, and its result."""

from __future__ import annotations

from netdissect.run.execute import RunLock, execute_run, lock_run
from netdissect.run.prepared_run import PreparedRun, prepare_run, resolve_device

__all__ = ["PreparedRun", "RunLock", "execute_run", "lock_run", "prepare_run", "resolve_device"]
