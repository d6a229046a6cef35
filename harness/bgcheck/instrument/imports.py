"""Run code right after a module is imported, or at once if it has been. Imports no framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

Hook = Callable[[ModuleType], None]

_IMPORTLIB: Final = "<frozen importlib._bootstrap>"


class ImportHooks:
    """A meta path finder that finds nothing itself, and calls a hook after a module is executed."""

    def __init__(self) -> None:
        self._hooks: dict[str, Hook] = {}

    def install(self, hooks: dict[str, Hook]) -> None:
        """Call each hook with its module, now or when it is imported."""
        self._hooks.update(hooks)
        for name, hook in hooks.items():
            module = sys.modules.get(name)
            if isinstance(module, ModuleType) and _is_loaded(module):
                hook(module)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Leave the meta path; modules imported from now on are not hooked."""
        self._hooks.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a hooked module, and have its loader call the hook."""
        if name not in self._hooks:
            return None
        spec = self._find_elsewhere(name, path, target)
        if spec is not None and spec.loader is not None:
            self._follow(name, spec.loader)
        return spec

    def _find_elsewhere(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        finders = list(sys.meta_path)
        place = finders.index(self) if self in finders else -1
        for finder in finders[place + 1 :]:  # those before have been asked already
            find = getattr(finder, "find_spec", None)
            if find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                return spec
        return None

    def _follow(self, name: str, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            if loader.__dict__.get("exec_module") is exec_module:
                del loader.exec_module
            execute(module)
            hook = self._hooks.get(name)
            if hook is not None and module.__name__ == name:
                hook(module)

        # A warning about an import names the line that imports: frames of importlib do not count.
        exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORTLIB)
        try:
            loader.exec_module = exec_module
        except AttributeError:  # a loader that is a class or has slots; the module stays unseen
            return


def _is_loaded(module: ModuleType) -> bool:
    """Whether a module was imported to its end. A stub that a test put there was not: no spec."""
    spec = module.__spec__
    return spec is not None and not getattr(spec, "_initializing", False)
