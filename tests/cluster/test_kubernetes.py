"""The manifests: checked against the operator's schema, their commands started; not run."""

import importlib.util
import json
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from distributed import Client

import xfactor
from tests.cluster.tools import CLUSTER, environment, free_port, script

FOLDER = CLUSTER / "kubernetes"
DOCUMENTS = {d["kind"]: d for f in FOLDER.glob("*.yaml") for d in yaml.safe_load_all(f.read_text())}
SPEC = DOCUMENTS["DaskCluster"]["spec"]
PODS = {
    "worker": SPEC["worker"]["spec"],
    "scheduler": SPEC["scheduler"]["spec"],
    "smoke": DOCUMENTS["Job"]["spec"]["template"]["spec"],
}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}


def strict(schema):
    """The schema without room for names it does not know; Kubernetes drops these in silence."""
    if isinstance(schema, list):
        return [strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    new = {name: strict(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        new.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        new.pop("type", None)
    return new


def operator_schema(name):
    """Of the `spec` of a custom resource, as the operator's package brings it."""
    found = importlib.util.find_spec("dask_kubernetes")
    if found is None:
        pytest.skip("dask-kubernetes, which brings the operator's schemas, is not installed")
    charts = Path(found.origin).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
    version = yaml.safe_load((charts / f"{name}.yaml").read_text())["spec"]["versions"][0]
    assert version["name"] == "v1"
    return strict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def wrong(instance, schema):
    jsonschema = pytest.importorskip("jsonschema")
    found = jsonschema.Draft202012Validator(schema).iter_errors(instance)
    return [f"{e.json_path}: {e.message}" for e in found]


@pytest.mark.parametrize("kind", ["DaskCluster", "DaskAutoscaler"])
def test_kubernetes__custom_resources_have_the_operators_schema(kind):
    document = DOCUMENTS[kind]
    assert document["apiVersion"] == "kubernetes.dask.org/v1"
    assert wrong(document["spec"], operator_schema(kind.lower())) == []


def test_kubernetes__the_schema_finds_faults():
    schema = operator_schema("daskcluster")
    broken = json.loads(json.dumps(SPEC))
    broken["worker"]["replicas"] = "4"
    broken["worker"]["spec"]["containers"][0]["resorces"] = {}
    del broken["scheduler"]["service"]
    faults = " ".join(wrong(broken, schema))
    assert "'4' is not of type 'integer'" in faults
    assert "'resorces' was unexpected" in faults
    assert "'service' is a required property" in faults


def test_kubernetes__the_jobs_pod_is_a_pod():
    worker = operator_schema("daskcluster")["properties"]["worker"]
    assert wrong(PODS["smoke"], worker["properties"]["spec"]) == []


def test_kubernetes__all_pods_see_the_stores_at_one_path():
    claim = DOCUMENTS["PersistentVolumeClaim"]
    assert claim["apiVersion"] == "v1"
    assert set(claim["spec"]) == {"accessModes", "resources"}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, pod in PODS.items():
        volumes = {v["name"]: v for v in pod["volumes"]}
        mounts = {m["name"]: m["mountPath"] for m in CONTAINERS[name]["volumeMounts"]}
        assert volumes["stores"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert mounts["stores"] == "/data"
        assert set(mounts) == set(volumes)


def test_kubernetes__names_belong_together():
    cluster = DOCUMENTS["DaskCluster"]["metadata"]["name"]
    service = SPEC["scheduler"]["service"]
    assert DOCUMENTS["DaskAutoscaler"]["spec"]["cluster"] == cluster
    assert service["selector"] == {
        "dask.org/cluster-name": cluster, "dask.org/component": "scheduler",
    }  # fmt: skip
    ports = {p["name"]: p["containerPort"] for p in CONTAINERS["scheduler"]["ports"]}
    assert {p["targetPort"]: p["port"] for p in service["ports"]} == ports
    assert f"tcp://{cluster}-scheduler:{ports['tcp-comm']}" in CONTAINERS["smoke"]["args"]
    assert len({c["image"] for c in CONTAINERS.values()}) == 1
    assert CONTAINERS["worker"]["image"].endswith(f":{xfactor.__version__}")
    ids = {json.dumps(pod["securityContext"]) for pod in PODS.values()}
    assert ids == {'{"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}'}


def test_kubernetes__a_worker_has_what_it_counts_on():
    resources = CONTAINERS["worker"]["resources"]
    assert resources["requests"] == resources["limits"] == {"cpu": "1", "memory": "2Gi"}


def test_kubernetes__the_jobs_command_is_one(monkeypatch):
    words = CONTAINERS["smoke"]["args"]
    assert words[:2] == ["python", "/opt/xfactor/cluster/smoke.py"]
    monkeypatch.setattr("sys.argv", words[1:])
    chosen = script("smoke").options()
    assert (str(chosen.folder), chosen.workers) == ("/data", SPEC["worker"]["replicas"])


# --- the commands of the containers, as processes of this machine ---------------------------------


def started(name, replaced, folder, **env):
    """A container's command, with the words that a container would find replaced."""
    own = {e["name"]: e["value"] for e in CONTAINERS[name].get("env", [])}
    words = [replaced.get(word, word) for word in CONTAINERS[name]["args"]]
    with open(folder / f"{name}.log", "w") as log:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment(**(own | env | {"XFACTOR_CACHE_DIR": str(folder)})),
        )  # fmt: skip


def healthy(url, timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.2)
    return False


def test_kubernetes__its_commands_start_a_cluster(tmp_path):
    port, web = free_port(), free_port()
    address = f"tcp://127.0.0.1:{port}"
    # Loopback, because this is no pod.
    words = {"8786": str(port), ":8787": f"127.0.0.1:{web}"}
    scheduler = started("scheduler", words, tmp_path)
    given = {"DASK_SCHEDULER_ADDRESS": address}  # by the operator
    words = {"$(DASK_WORKER_NAME)": "one", "/scratch": str(tmp_path)}
    worker = started("worker", words, tmp_path, **given)
    try:
        probe = CONTAINERS["scheduler"]["readinessProbe"]["httpGet"]["path"]
        assert healthy(f"http://127.0.0.1:{web}{probe}"), (tmp_path / "scheduler.log").read_text()
        with Client(address, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
            (found,) = client.scheduler_info(n_workers=-1)["workers"].values()
            assert (found["name"], found["nthreads"]) == ("one", 1)
            assert found["memory_limit"] == 1800 * 2**20
            patience = client.run_on_scheduler(
                lambda dask_scheduler: dask_scheduler.no_workers_timeout
            )
            assert patience == 600
    finally:
        for process in (worker, scheduler):
            process.terminate()
        for process in (worker, scheduler):
            process.wait(60)
