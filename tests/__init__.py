"""Tests, laid out like the source. This file must exist: without it `tests/proxy` would be imported as `proxy`."""
