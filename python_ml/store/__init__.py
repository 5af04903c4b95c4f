"""Files of the lake by key, in a folder or in a bucket."""

from python_ml.store.base import FolderStore, Store, open_store

__all__ = ["FolderStore", "Store", "open_store"]
