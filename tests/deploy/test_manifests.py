"""The Dockerfile, `compose.yaml` and `deploy/` say nothing that the server does not know."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.manifests import DOCKERFILE, NAMES, PATHS, ROOT, kubernetes, load, variables_in

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "Dockerfile", ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*"))
    if path.is_file() and path.name != "secret.env"
)


@pytest.fixture
def compose() -> dict[str, Any]:
    (document,) = load("compose.yaml")
    found: dict[str, Any] = document
    return found


@pytest.fixture
def instances(compose: dict[str, Any]) -> dict[str, Any]:
    """The services that are instances, by name."""
    return {name: service for name, service in compose["services"].items() if service.get("build")}


@pytest.fixture
def objects() -> dict[str, Any]:
    return kubernetes()


@pytest.fixture
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    return dict(found)


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize("path", FILES)
def test_every_variable_is_a_setting(path: str) -> None:
    assert set(variables_in(path)) - NAMES == set()


@pytest.mark.parametrize("path", FILES)
def test_every_path_of_health_is_one(path: str) -> None:
    assert set(re.findall(r"/health\w*(?:/\w+)?", (ROOT / path).read_text())) <= PATHS


# ---- the image ----


def test_the_image_has_all_extras_and_says_how_it_is_asked_and_stopped() -> None:
    assert "'.[all]'" in DOCKERFILE
    assert "/health/ready" in re.search(r"^HEALTHCHECK (?:\\\n|.)*", DOCKERFILE, re.MULTILINE)[0]  # type: ignore[index]
    assert re.search(r"^STOPSIGNAL SIGTERM$", DOCKERFILE, re.MULTILINE)


def test_no_secret_stands_in_the_image() -> None:
    code = re.sub(r"^#.*$", "", DOCKERFILE, flags=re.MULTILINE)
    assert re.findall(r"\w*(?:SECRET|TOKEN|PASSWORD|DATABASE_URL|REDIS_URL)\w*", code) == []


# ---- compose ----


def test_there_are_two_instances_with_names_and_folders_of_their_own(
    compose: dict[str, Any], instances: dict[str, Any]
) -> None:
    assert len(instances) == 2
    for name, service in instances.items():
        assert service["environment"]["MONKEYTOWN_INSTANCE_NAME"] == name
        assert service["volumes"] == [f"{name}:/data"]
        assert service["stop_grace_period"] == "30s"
        assert service["environment"]["MONKEYTOWN_HOST"] == "0.0.0.0"
    assert {name for service in instances.values() for name in service["depends_on"]} <= set(
        compose["services"]
    )


def test_every_secret_must_be_given(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"SECRET|PASSWORD|DATABASE_URL", name):
                assert re.search(r"\$\{[A-Z_]+:\?.+\}", value), name


def test_whatever_runs_is_asked_whether_it_is_well(
    compose: dict[str, Any], instances: dict[str, Any]
) -> None:
    for name, service in compose["services"].items():
        assert name in instances or "test" in service["healthcheck"], name  # instances by their image


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["inside"] == {"internal": True}


def test_the_proxy_knows_the_instances(compose: dict[str, Any], instances: dict[str, Any]) -> None:
    (mounted,) = compose["services"]["proxy"]["volumes"]
    config = (ROOT / mounted.split(":")[0]).read_text()
    assert set(re.findall(r"^ +server \w+ ([\w-]+):8000", config, re.MULTILINE)) == set(instances)
    published = compose["services"]["proxy"]["ports"][0].rpartition(":")[2]
    assert re.findall(r"^ +bind :(\d+)", config, re.MULTILINE) == [published]


def test_redis_throws_nothing_away_and_keeps_nothing(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--save") + 1] == ""


# ---- Kubernetes ----


def test_the_kustomization_names_every_file(objects: dict[str, Any]) -> None:
    files = {path.name for path in (ROOT / "deploy/kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(objects["Kustomization"]["resources"]) == files


def test_all_parts_mean_the_same_pods(objects: dict[str, Any]) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", objects["Deployment"]["metadata"]["name"])


def test_all_ports_are_the_one_it_listens_on(objects: dict[str, Any], container: dict[str, Any]) -> None:
    (port,) = container["ports"]
    assert str(port["containerPort"]) == environment(container)["MONKEYTOWN_PORT"]
    assert f"EXPOSE {port['containerPort']}" in DOCKERFILE
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert objects["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] == port["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


def test_a_pod_lives_and_is_ready_by_the_right_paths(container: dict[str, Any]) -> None:
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")
    }
    assert paths == {"liveness": "/health/live", "readiness": "/health/ready", "startup": "/health/live"}


def test_every_secret_is_one_that_the_kustomization_makes(
    objects: dict[str, Any], container: dict[str, Any]
) -> None:
    (made,) = objects["Kustomization"]["secretGenerator"]
    asked = {
        name: value["secretKeyRef"]
        for name, value in environment(container).items()
        if isinstance(value, dict) and "secretKeyRef" in value
    }
    assert {"MONKEYTOWN_SECRET", "MONKEYTOWN_REDIS_URL", "MONKEYTOWN_DATABASE_URL"} <= set(asked)
    head = (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()
    for name, reference in asked.items():
        assert reference == {"name": made["name"], "key": name}
        assert f"{name}=" in head
    assert (ROOT / ".gitignore").read_text().count(f"/deploy/kubernetes/{made['envs'][0]}\n") == 1


def test_a_pod_has_no_rights_that_it_does_not_need(pod: dict[str, Any], container: dict[str, Any]) -> None:
    user = pod["securityContext"]
    assert user["runAsNonRoot"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in DOCKERFILE
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/tmp", *re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)}


def test_a_pod_has_time_to_stop(pod: dict[str, Any], container: dict[str, Any]) -> None:
    drain = float(environment(container)["MONKEYTOWN_DRAIN_SECONDS"])
    assert 0 < drain < 10 < pod["terminationGracePeriodSeconds"]


async def test_it_is_scaled_by_a_metric_that_there_is(objects: dict[str, Any], server: Any) -> None:
    import httpx

    from monkeytown.games.tictactoe import TicTacToe

    running = await server(TicTacToe)
    async with httpx.AsyncClient(base_url=running.url) as http:
        page = (await http.get("/metrics")).text
    (metric,) = objects["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert f"\n{metric['pods']['metric']['name']}{{" in page
