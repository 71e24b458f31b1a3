"""Fixtures: `house` (one for a whole module, virtual clock standing at a fixed time), `make_house` (as many as a test
wants, with flags of its own)."""
import pytest

from daemons import House

START = "2026-05-20T20:45:00Z"
VIRTUAL = (f"--clock={START}", "--clock-scale=0")


def pytest_configure(config):
    config.addinivalue_line("markers", "concurrency: runs once more under ThreadSanitizer")
    config.addinivalue_line("markers", "slow: left out by scripts/test --quick")
    config.addinivalue_line("markers", "measured: compares times or sizes; left out under sanitizers")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"), kmsd=VIRTUAL)
    try:
        yield house.start()
        house.stop()
    finally:
        house.abandon()


@pytest.fixture
def make_house(tmp_path):
    houses = []

    def make(ddbd=True, start=True, virtual=True, kmsd=(), ddbd_args=(), principals=None, **more):
        house = House(tmp_path / f"house{len(houses)}", kmsd=[*(VIRTUAL if virtual else ()), *kmsd], ddbd=ddbd_args,
                      principals=principals, **more)
        houses.append(house)
        return house.start(ddbd) if start else house

    try:
        yield make
        for house in houses:
            house.stop()
    finally:
        for house in houses:
            house.abandon()


@pytest.fixture
def kms(house):
    return house.kms()


@pytest.fixture
def dynamodb(house):
    return house.dynamodb()


@pytest.fixture
def key(kms):
    """The id of a new symmetric key."""
    return kms.create_key()["KeyMetadata"]["KeyId"]
