"""Each test starts with an upstream that has seen nothing."""

import pytest

import mesh


@pytest.fixture(autouse=True)
def fresh_upstream():
    mesh.forget()
