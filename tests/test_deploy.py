"""The files for deployment: the programs that read them accept the manifests, scripts, rules and dashboards."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from actors.cluster.metrics import CATALOGUE

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")


@promtool
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_prometheus_accepts_its_files_and_the_alerts_fire_when_they_should(command):
    done = subprocess.run(
        ["promtool", *command],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "path", [*DEPLOY.glob("grafana/*.json"), DEPLOY / "prometheus/alerts.yml"], ids=lambda p: p.name
)
def test_dashboards_and_alerts_query_only_metrics_and_labels_that_are_exported(path):
    text = path.read_text()
    if path.suffix == ".json":
        text = "\n".join(t["expr"] for panel in json.loads(text)["panels"] for t in panel["targets"])
    asked = re.findall(r"ray_goldenhour_(\w+?)(_total)?\b(?:\{(\w+)=)?", text)
    assert asked
    for name, total, label in asked:
        metric = CATALOGUE[name]
        assert (total == "_total") == (metric.kind == "Counter"), name
        assert not label or label in metric.tags


def test_the_rayjob_is_valid_and_its_cluster_requires_a_token():
    job = yaml.safe_load((DEPLOY / "kuberay/rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert "goldenhour run" in spec["entrypoint"] and spec["shutdownAfterJobFinishes"]
    cluster = spec["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["port"] == "6380"
    pins = (DEPLOY.parent / "constraints.txt").read_text()
    assert f"ray=={cluster['rayVersion']}\n" in pins


def test_the_batch_script_is_valid_and_prints_its_usage():
    script = str(DEPLOY / "slurm/goldenhour.sbatch")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage: sbatch" in done.stderr
    assert "6379" not in re.sub(r"#.*", "", Path(script).read_text())
