"""Tests of the shapes of observations."""
