import pytest

from harness import Server, World


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: only in make check-deep")
    config.addinivalue_line("markers", "no_asan: not under the sanitizers")


@pytest.fixture(scope="module")
def world():
    """One server for a module's tests; at its end the floor (N1, N2) is looked at."""
    with Server() as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


@pytest.fixture(scope="module")
def lone():
    """The same with a single worker, whose own counters tell what a request cost."""
    with Server(workers=1) as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


@pytest.fixture
def untouched(request):
    """N3: the test writes nothing into the module's store (`world` or `lone`, whichever it uses)."""
    server = request.getfixturevalue("lone" if "lone" in request.fixturenames else "world").server
    before = server.seq()
    yield
    assert server.seq() == before


@pytest.fixture
def own():
    """A server for one test that does things to it; N2 if it is still there at the end."""
    with Server() as server:
        yield World(server)
        if server.process.poll() is None:
            server.check_canaries()
