"""A Metabase that keeps its state in memory and is stricter than the real one.

It answers the part of the REST API that dashboards as code use, the way servers 0.58 to 0.63 do:
rows of `dashcards` and `tabs` are diffed by id, what is left out is deleted, a query sent in the
legacy envelope is read back as MBQL 5, what is archived lies in the trash. What a real server
passes over in silence (an undeclared key, an unknown dashcard id) is refused here.
"""

from tests.dashboards.fake.app import create_app, running
from tests.dashboards.fake.store import FakeMetabase

__all__ = ["FakeMetabase", "create_app", "running"]
