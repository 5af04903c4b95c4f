"""Who has been forgotten, without saying who: salted hashes, in the store of the lake.

forgotten.json   salt, one entry a person, and hashes of snapshots and splits that lost rows

The salt keeps the hashes from being compared with those of others. It does not hide them from
somebody who can read the file and try out every customer id; access to the lake must be guarded.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from python_ml.documents import json_text
from python_ml.engines.store import Store
from python_ml.errors import SpanishGasError

FILE = "forgotten.json"


@dataclass
class Tombstones:
    """The content of the file; `changed` leads from a hash of content to what it is now."""

    store: Store
    salt: str
    entries: list[dict[str, str]] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)

    def hash_of(self, customer_id: str) -> str:
        return hashlib.sha256(f"{self.salt} {customer_id}".encode()).hexdigest()

    def among(self, customer_ids: Iterable[str]) -> set[str]:
        """Those of some customers who have been forgotten."""
        known = {entry["sha256"] for entry in self.entries}
        return {each for each in customer_ids if self.hash_of(each) in known} if known else set()

    def add(self, customer_id: str, forgotten_at: str, by: str) -> None:
        digest = self.hash_of(customer_id)
        if digest not in {entry["sha256"] for entry in self.entries}:
            self.entries.append({"sha256": digest, "forgotten_at": forgotten_at, "by": by})
        self.save()

    def now(self, content: str) -> str:
        """What a snapshot or split of this hash has become."""
        return self.changed.get(content, content)

    def note_change(self, before: str, after: str) -> None:
        """Note that content of one hash has lost rows."""
        if before != after:
            for origin, latest in self.changed.items():
                if latest == before:
                    self.changed[origin] = after
            self.changed[before] = after
            self.save()

    def save(self) -> None:
        document = {"salt": self.salt, "forgotten": self.entries, "changed": self.changed}
        self.store.write(FILE, f"{json_text(document)}\n".encode())


def read_tombstones(store: Store) -> Tombstones:
    """Those of a lake; a new salt before the first.

    Raises:
        SpanishGasError: the file is there and cannot be read: without it the forgotten would be
            back.
    """
    if not store.exists(FILE):
        return Tombstones(store, secrets.token_hex(16))
    try:
        document = json.loads(store.read(FILE))
        return Tombstones(store, document["salt"], document["forgotten"], document["changed"])
    except (ValueError, KeyError, TypeError) as error:
        raise SpanishGasError(
            f"{store.place(FILE)} cannot be read. It says who must be kept out; restore it from a "
            "backup."
        ) from error
