"""What each role may do against what it did in the rehearsed deployment.

The calls were recorded there (tests/athena/test_deployment.py); here they are decided again, under
the policies as Terraform renders them now, and under each of those policies without one action.
"""

from __future__ import annotations

import json

import pytest

from tests.athena import permissions
from tests.infra.policies import Need, Policies, Rendered, is_allowed, survivors

ROLES = ("trigger", "control", "states", "dbt", "ml", "metabase", "execution", "flow")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return permissions.rendered_deployment(tmp_path_factory.mktemp("rendered") / "work")


@pytest.fixture(scope="module")
def policies(rendered: Rendered) -> Policies:
    return rendered.policies


@pytest.fixture(scope="module")
def calls(rendered: Rendered) -> list[Need]:
    return permissions.all_calls(rendered)


def test_every_role_was_rehearsed(policies: Policies, calls: list[Need]) -> None:
    assert set(policies) == {need.role for need in calls} == set(ROLES)


def test_every_call_is_allowed(policies: Policies, calls: list[Need]) -> None:
    refused = [need for need in calls if not is_allowed(policies[need.role], need)]
    assert not refused


def test_a_policy_without_any_one_action_would_have_failed_the_rehearsal(
    policies: Policies, calls: list[Need]
) -> None:
    left = list(survivors(policies, calls))
    unexplained = [each for each in left if permissions.explained(*each) is None]
    assert not unexplained, "allowed and never called: explain it in permissions.py, or remove it"
    keys = {(who, action) for role, _, action in left for who in (role, "*")}
    assert not set(permissions.EXPLAINED) - keys, "explained, and called or not allowed"


def test_the_page_says_what_was_called(policies: Policies, calls: list[Need]) -> None:
    said = permissions.PAGE.read_text(encoding="utf-8")
    assert said == permissions.page(policies, calls), "python -m tests.athena.permissions writes it"
    assert json.loads(permissions.RECORD.read_text(encoding="utf-8"))
