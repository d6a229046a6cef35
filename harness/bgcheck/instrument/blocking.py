"""Tell of calls that block a thread while a background task is under way in it.

The calls are patched where all of their users meet: `requests`, `urlopen` and the drivers of
databases end in `socket.socket`, `subprocess.run` ends in `Popen.communicate`. Without a task under
way a patch passes straight through. Imports none of the modules that it patches.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgcheck.events import BlockingCall
from bgcheck.instrument.blocking_callers import Caller, caller, is_database
from bgcheck.instrument.captured import FunctionPatches
from bgcheck.instrument.hub import current_task, hub
from bgcheck.instrument.imports import ImportHooks
from bgcheck.instrument.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from bgcheck.recorder.record import ScheduledTask

    Blocks = Callable[..., bool]


class Patch(NamedTuple):
    """One call that blocks.

    Attributes:
        owner: the class in its module, or empty for the module itself.
        attribute: the function or method.
        name: what a finding calls it.
        blocks: tells from the arguments whether this call may wait.
        direct: only calls from user code count: libraries use it where they know better.
        timeout: it is a method with no other parameter than this one, called often by those.
    """

    owner: str
    attribute: str
    name: str
    blocks: Blocks
    direct: bool = False
    timeout: bool = False


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


def _sleeps(seconds: Any = 0, /) -> bool:
    return bool(seconds > 0)


def _is_blocking_socket(sock: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether a socket waits: not one of an event loop, and not one that only sends datagrams."""
    return bool(sock.gettimeout() != 0 and sock.type != sys.modules["socket"].SOCK_DGRAM)


def _is_blocking_tls(sock: Any, *args: Any, **kwargs: Any) -> bool:
    return bool(sock.gettimeout() != 0)


def _needs_lookup(host: Any = None, *args: Any, **kwargs: Any) -> bool:
    """Whether a host is a name, rather than an address or nothing."""
    if not host:
        return False
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    return ":" not in text and not text.replace(".", "").isdecimal()


def _waits_for_lock(file: Any, operation: int, *args: Any) -> bool:
    fcntl = sys.modules["fcntl"]
    return not operation & (fcntl.LOCK_NB | fcntl.LOCK_UN)


def _is_running(process: Any, *args: Any, **kwargs: Any) -> bool:
    return process.returncode is None


def _waits_for_event(event: Any, timeout: float | None = None) -> bool:
    return not event.is_set() and (timeout is None or timeout > 0)


def _waits_for_thread(thread: Any, timeout: float | None = None) -> bool:
    return thread.is_alive() and (timeout is None or timeout > 0)


def _waits_for_future(future: Any, timeout: float | None = None) -> bool:
    return not future.done() and (timeout is None or timeout > 0)


def _waits_for_item(queue: Any, block: bool = True, timeout: float | None = None) -> bool:
    return block and queue.empty() and (timeout is None or timeout > 0)


_CALLS: Final[dict[str, tuple[Patch, ...]]] = {
    "time": (Patch("", "sleep", "time.sleep", _sleeps),),
    "os": (Patch("", "system", "os.system", _always),),
    "fcntl": (
        Patch("", "flock", "fcntl.flock", _waits_for_lock),
        Patch("", "lockf", "fcntl.lockf", _waits_for_lock),
    ),
    "socket": (
        Patch("", "getaddrinfo", "socket.getaddrinfo", _needs_lookup),
        Patch("", "gethostbyname", "socket.gethostbyname", _needs_lookup),
        Patch("socket", "connect", "socket.connect", _is_blocking_socket),
        Patch("socket", "accept", "socket.accept", _is_blocking_socket),
        Patch("socket", "recv", "socket.recv", _is_blocking_socket),
        Patch("socket", "recv_into", "socket.recv_into", _is_blocking_socket),
    ),
    "ssl": (
        Patch("SSLSocket", "read", "ssl.SSLSocket.read", _is_blocking_tls),
        Patch("SSLSocket", "do_handshake", "ssl.SSLSocket.do_handshake", _is_blocking_tls),
    ),
    "subprocess": (
        Patch("Popen", "wait", "subprocess.Popen.wait", _is_running),
        Patch("Popen", "communicate", "subprocess.Popen.communicate", _is_running),
    ),
    "threading": (
        Patch("Event", "wait", "threading.Event.wait", _waits_for_event, direct=True, timeout=True),
        Patch(
            "Thread", "join", "threading.Thread.join", _waits_for_thread, direct=True, timeout=True
        ),
    ),
    "queue": (Patch("Queue", "get", "queue.Queue.get", _waits_for_item, direct=True),),
    "concurrent.futures._base": (
        Patch("Future", "result", "Future.result", _waits_for_future, direct=True, timeout=True),
        Patch(
            "Future", "exception", "Future.exception", _waits_for_future, direct=True, timeout=True
        ),
    ),
    "sqlite3.dbapi2": (Patch("", "connect", "sqlite3.connect", _always),),
    "psycopg": (
        Patch("Cursor", "execute", "psycopg.Cursor.execute", _always),
        Patch("Cursor", "executemany", "psycopg.Cursor.executemany", _always),
    ),
    "psycopg2": (Patch("", "connect", "psycopg2.connect", _always),),
    # virtual time sleeps here, in place of `time.sleep`
    "bgcheck.runner.clock._core": (Patch("Core", "sleep_thread", "time.sleep", _always),),
}
"""By module: what blocks in it."""

_LOOPS: Final = "asyncio.selector_events"

_hooks = ImportHooks()
_patches = FunctionPatches()
_users = Users()


@_users.first
def install() -> None:
    """Patch what is imported and what will be; each call needs one of `uninstall`."""
    _import_built_in()
    _hooks.install({**dict.fromkeys(_CALLS, _patch), _LOOPS: _patch_loops})


@_users.last
def uninstall() -> None:
    """Put everything back once the last user is gone."""
    _hooks.uninstall()
    _patches.restore()


def _import_built_in() -> None:
    """Import what is part of most interpreters: import hooks cannot follow it."""
    try:
        import fcntl  # noqa: F401
    except ImportError:  # Windows
        return


def _patch(module: ModuleType) -> None:
    hub.guard(_patch_now, module)


def _patch_now(module: ModuleType) -> None:
    for call in _CALLS[module.__name__]:
        owner = getattr(module, call.owner) if call.owner else module
        _patches.replace(owner, call.attribute, functools.partial(_wrap, call))


def _patch_loops(module: ModuleType) -> None:
    loop = module.BaseSelectorEventLoop
    hub.guard(_patches.replace, loop, "_make_self_pipe", _wrap_make_self_pipe)


def _wrap_make_self_pipe(original: Callable[..., Any]) -> Any:
    """Leave out the socket that wakes a loop: it never blocks, and is read at every turn."""

    @functools.wraps(original)
    def _make_self_pipe(self: Any) -> None:
        __tracebackhide__ = True
        original(self)
        hub.guard(_leave_out, self._ssock)

    return _make_self_pipe


def _leave_out(sock: Any) -> None:
    kind: Any = type(sock)
    if kind.__mro__[1] is sys.modules["socket"].SocketType:
        sock.__class__ = _never_blocking(kind)


@functools.cache
def _never_blocking(kind: Any) -> type:
    """Return a class of sockets with the C function that `socket.socket` inherits."""
    recv = sys.modules["socket"].SocketType.recv
    names = {"__slots__": (), "__module__": kind.__module__, "recv": recv}
    return type(kind.__name__, (kind,), names)


def _wrap(call: Patch, original: Callable[..., Any]) -> Any:
    name, blocks, direct = call.name, call.blocks, call.direct

    @functools.wraps(original)
    def blocking(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, name, direct, blocks, args, kwargs)
        return original(*args, **kwargs)

    @functools.wraps(original)
    def waiting(self: Any, timeout: float | None = None) -> Any:
        __tracebackhide__ = True
        task = current_task.get()
        if task is not None and hub.sinks:
            hub.guard(_note, task, name, direct, blocks, (self, timeout), {})
        return original(self, timeout)

    return waiting if call.timeout else blocking


def _note(
    task: ScheduledTask,
    name: str,
    direct: bool,
    blocks: Blocks,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    try:
        if not blocks(*args, **kwargs):
            return
    except (OSError, TypeError, ValueError):  # the call itself will say what is wrong
        return
    found: Caller | None = caller(direct=direct)
    if found is not None:
        database = found.database or is_database(name)
        event = BlockingCall(task, found.entered or name, name, found.line, database)
        hub.emit(event, task.recording)
