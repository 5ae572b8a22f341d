"""Whatever is not ok can be acted upon."""

import pytest

from proxy.doctor.finding import SEVERITIES, Finding


@pytest.mark.parametrize("severity", SEVERITIES)
def test_only_what_is_ok_has_nothing_to_type(severity: str) -> None:
    if severity == "ok":
        assert Finding("ok", "a", "b").type == ""
        return
    with pytest.raises(ValueError, match="`a`: what is to be typed is not said"):
        Finding(severity, "a", "b")  # type: ignore[arg-type]  # it is one of them
