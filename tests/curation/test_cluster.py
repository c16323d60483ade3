"""A Ray cluster of two nodes that loses one amid the work ends with the tables of one process."""

import sys

import pytest
from kills import content, render, split_whole, start_split, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="Ray runs clusters for tests on Linux alone"),
]


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


def test_a_lost_node_costs_no_video(tmp_path, cluster):
    footage = render(tmp_path / "in", range(6))
    split_whole(footage, tmp_path / "whole", engine="local", pause_s=0.15)
    node = cluster.add_node(num_cpus=1)
    driver = start_split(footage, tmp_path / "out", pause_s=0.15, RAY_ADDRESS=cluster.address)
    wait_for(lambda: len(list((tmp_path / "out/videos").glob("part-*.parquet"))) >= 2)
    cluster.remove_node(node, allow_graceful=False)
    assert driver.wait(150) == 0, (tmp_path / "out.log").read_text()
    assert "its worker died" in (tmp_path / "out.log").read_text()
    assert content(tmp_path / "out") == content(tmp_path / "whole")
