"""What the tests of the intercepting proxy need: mitmproxy, and one certificate authority for all of them."""

import importlib
import warnings
from pathlib import Path

import pytest

from proxy.intercept.authority import open_authority
from tests.proxy.intercept.running import Trust
from tests.proxy.secure import certificate


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    pytest.importorskip("mitmproxy", reason="the extra `intercept` is not installed; `make test-intercept` has it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what mitmproxy imports
        importlib.import_module("mitmproxy.addons")
    cert, key = certificate(tmp_path_factory.mktemp("upstream"))
    folder = tmp_path_factory.mktemp("authority") / "intercept"
    return Trust(open_authority(folder, {}, [str(cert)]), cert, key)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # mitmproxy 11 hands an old type to a newer pyOpenSSL
    mark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(mark)
