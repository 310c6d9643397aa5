"""Fixtures of the hand-out of devices."""

from tests.workflow.training.distributed.node import node  # noqa: F401
