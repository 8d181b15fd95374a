"""Tests of survival, other choices and replication."""
