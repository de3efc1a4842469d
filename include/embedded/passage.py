"""The right of one user to pass through a folder that is closed to others, by an access control list (Linux).

A folder's mode could only let everybody through.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from pathlib import Path

from ..trueup.errors import StoreUnavailableError

_ATTRIBUTE = "system.posix_acl_access"
# The kernel's form (linux/posix_acl_xattr.h): a version, then entries of tag, permissions and id, in the order of tags.
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _NAMED_GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_PASS = 1


def allow(folder: Path, user: int) -> None:
    """Let that user pass through the folder; nobody else's rights change, and the user may not list what is in it.

    Raises `StoreUnavailableError` where the file system has no access control lists.
    """
    mode = folder.stat().st_mode
    if mode & stat.S_IXOTH:
        return
    entries = _entries(folder, mode) if sys.platform == "linux" else {}
    if not entries:
        raise _refused(folder, user, "this system has no such lists")
    mine = (_USER, user)
    if entries.get(mine, 0) & _PASS and entries[_MASK, _NOBODY] & _PASS:
        return
    entries[mine] = entries.get(mine, 0) | _PASS
    entries[_MASK, _NOBODY] = entries.get((_MASK, _NOBODY), entries[_GROUP, _NOBODY]) | _PASS
    packed = b"".join(_ENTRY.pack(tag, rights, id) for (tag, id), rights in sorted(entries.items()))
    try:
        os.setxattr(folder, _ATTRIBUTE, _VERSION + packed)
    except OSError as error:
        raise _refused(folder, user, error.strerror or str(error)) from error


def _refused(folder: Path, user: int, why: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"PostgreSQL does not run as root, and its user (id {user}) may not pass through {folder} ({why}). "
        "Put TRUEUP_HOME and the checkout where others may pass through, or run as another user than root."
    )


def _entries(folder: Path, mode: int) -> dict[tuple[int, int], int]:
    """The folder's access control list; where it has none, the one that says what its mode says."""
    try:
        attribute = os.getxattr(folder, _ATTRIBUTE)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
        shifts = {_OWNER: 6, _GROUP: 3, _OTHERS: 0}
        return {(tag, _NOBODY): mode >> shift & 0o7 for tag, shift in shifts.items()}
    return {(tag, id): rights for tag, rights, id in _ENTRY.iter_unpack(attribute[len(_VERSION) :])}
