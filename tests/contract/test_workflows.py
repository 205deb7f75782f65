"""The workflows, the action, the template for GitLab and the Dockerfile: every line of shell in them, run in a clean clone against servers of this
machine. What only GitHub can do (approve, show, protect) is not here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from demo.history import load
from tests.loopback import Loopback, serving
from tests.real import components
from tests.real.servers import Server, running_prometheus
from tests.running_workflows import ROOT, Runner, git
from tests.standin import DEFAULT_TOKEN, StandIn
from tests.unit.test_forge import Hosts

KEY = "a key of this test"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the RUN lines of the Dockerfile make, with the image's folders below this one; that the image builds is not shown by this."""
    top = tmp_path_factory.mktemp("image")
    text = (ROOT / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            into = top / target.strip("/")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, into)
    runner = Runner(
        work=top,
        bin=Path(sys.executable).parent,
        temp=top / "temp",
        values={},
        environment={"GIT_CONFIG_SYSTEM": str(top / "gitconfig")},
    )
    for line in re.findall(r"^RUN ((?:.*\\\n)*.*)$", text, re.MULTILINE):
        moved = re.sub(r"/(opt|source|var/lib/apt)\b", lambda found: f"{top}/{found[1]}", line)
        runner.run_steps([{"run": moved}], {})
    assert any(call.startswith("useradd") for call in runner.calls)
    return top


@pytest.fixture(scope="module")
def installed(image: Path) -> Path:
    """tocsin as the action installs it, in the environment of the image, from which the image's own tocsin was taken away."""
    bin, clone = image / "opt" / "tocsin" / "bin", image / "action"
    git(image, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone))
    _with_work_tree(clone)
    subprocess.run([bin / "pip", "uninstall", "--quiet", "--yes", "tocsin"], check=True)
    assert not (bin / "tocsin").exists()
    action = yaml.safe_load((clone / "action.yml").read_text())
    steps = {each["name"]: each for each in action["runs"]["steps"] if "run" in each}
    runner = Runner(
        work=clone,
        bin=bin,
        temp=image / "action-temp",
        values={"inputs.run": "--version"},
        conditions={"inputs.run != ''": True},
        environment={"GITHUB_ACTION_PATH": str(clone)},
    )
    runner.run_steps([steps["Install"], steps["Run"]], {})
    return bin


def _with_work_tree(clone: Path) -> None:
    """What is here and not committed yet belongs to what is tried."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, clone / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


@dataclass
class Place:
    """A code host with this repository, a pull request in it, and the servers of production."""

    top: Path
    bare: Path
    base: str
    head: str
    hosts: Hosts
    forge: Loopback
    grafana: StandIn
    prometheus: Server
    bin: Path

    def runner(self, name: str, sha: str, **values: str) -> Runner:
        work = self.top / name / "work"
        work.parent.mkdir()
        git(self.top, "clone", "--quiet", str(self.bare), str(work))
        git(work, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
        return Runner(
            work=work,
            bin=self.bin,
            temp=self.top / name / "temp",
            values={
                "github.sha": sha,
                "github.token": "hunter2",
                "runner.temp": str(self.top / name / "temp" / "runner"),
                "github.event.pull_request.body": 'Why: `$(touch pwned)` "; touch pwned #\nReason: quieter\nTicket: OPS-7',
                "github.event.pull_request.base.sha": self.base,
                "github.event.pull_request.head.sha": self.head,
                "github.event.pull_request.number": "7",
                "github.event.workflow_run.head_sha": self.head,
                "github.event.workflow_run.id": "1",
                "vars.GRAFANA_URL": self.grafana.url,
                "secrets.GRAFANA_TOKEN": DEFAULT_TOKEN,
                "vars.PROMETHEUS_URL": self.prometheus.url,
                "secrets.PROMETHEUS_TOKEN": "hunter3",
                "secrets.TOCSIN_VERDICT_KEY": KEY,
                **values,
            },
            conditions={
                "github.event_name == 'pull_request'": True,
                "github.event_name == 'push' || github.event.pull_request.head.repo.full_name == github.repository": True,
                "github.event.pull_request.head.repo.full_name == github.repository": True,
                "github.event.workflow_run.event == 'pull_request' && github.event.workflow_run.conclusion != 'cancelled'": True,
                "github.ref == 'refs/heads/main'": True,
                "failure()": True,
            },
            environment={
                "GITHUB_API_URL": self.forge.url,
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_REPOSITORY": "team/alerts",
                "TOCSIN_PROMTOOL": str(components.promtool("2.53")),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            },
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("forge")
    work, bare = top / "team", top / "alerts.git"
    git(top, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(work))
    _with_work_tree(work)
    # Production without records: what a canary of weeks would say is another test's.
    project = work / "tocsin.yaml"
    project.write_text(project.read_text().replace("verdict: required", "verdict: advised"))
    git(work, "checkout", "--quiet", "-B", "main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--allow-empty", "-m", "What is tried")
    git(top, "clone", "--quiet", "--bare", str(work), str(bare))
    for name in filter(None, git(bare, "tag").split("\n")):
        git(bare, "tag", "-d", name)
    git(work, "remote", "set-url", "origin", str(bare))
    base = git(work, "rev-parse", "HEAD")
    git(work, "checkout", "--quiet", "-b", "quieter")
    lag = work / "rules" / "kafka" / "lag.yaml"
    assert "limit: 10000" in lag.read_text()
    lag.write_text(lag.read_text().replace("limit: 10000", "limit: 12000"))
    git(work, "commit", "--quiet", "-am", "Quieter\n\nReason: it paged at every deploy\nTicket: OPS-7")
    head = git(work, "rev-parse", "HEAD")
    git(work, "push", "--quiet", "origin", "quieter")
    hosts = Hosts()
    hosts.things["pulls"] = [{"number": 7, "head": {"sha": head}, "state": "open"}]
    # What production measured in the two weeks until now.
    load(components.promtool("2.53"), top / "history", int(time.time()) // 3600 * 3600)
    with (
        serving(hosts) as forge,
        StandIn("13.3") as grafana,
        running_prometheus(components.prometheus("2.53"), "global: {}\n", data=top / "history") as prometheus,
    ):
        hosts.url = forge.url
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        yield Place(top, bare, base, head, hosts, forge, grafana, prometheus, installed)


@contextmanager
def evaluating(grafana: StandIn) -> Iterator[None]:
    """Its rules are evaluated every quarter of a second, so that nobody waits minutes for three evaluations."""
    over = threading.Event()

    def evaluate() -> None:
        while not over.wait(0.25):
            with grafana.edit() as edit:
                edit.evaluate()

    thread = threading.Thread(target=evaluate, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def first_rule(place: Place) -> str:
    """The uid of a rule that the sync wrote."""
    request = urllib.request.Request(
        f"{place.grafana.url}/api/v1/provisioning/alert-rules",
        headers={"Authorization": f"Bearer {DEFAULT_TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return str(json.load(answer)[0]["uid"])


def body_of(thing: dict[str, object]) -> str:
    return str(thing["body"])


def test_a_pull_request_is_checked_and_commented_on(place: Place) -> None:
    runner = place.runner("check", place.head)
    runner.run_job("check.yml", "rules")
    assert not (runner.work / "pwned").exists()
    assert (runner.artifacts / "site-preview" / "site" / "index.html").is_file()
    assert any(call.startswith("apt-get install") and "prometheus" in call for call in runner.calls)
    sarif = json.loads((runner.artifacts / "sarif" / "tocsin.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    runner.run_job("check.yml", "scan")
    comment = place.runner("comment", place.base)
    shutil.copytree(runner.artifacts, comment.artifacts, dirs_exist_ok=True)
    comment.run_job("comment.yml", "comment")
    comment.run_job("comment.yml", "comment")
    (posted,) = place.hosts.things["comments"]
    assert "less sensitive" in body_of(posted) and "OPS-7" in body_of(posted)
    assert "quieter" in body_of(posted), "the pull request's own words count"
    assert [each.target for each in place.forge.seen if each.method == "POST"][-1].endswith(
        "/issues/7/comments"
    )


def test_the_whole_check_is_ci_run() -> None:
    """`.ci/run` is what is running now; here it is only held to be what the job says."""
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())["jobs"]["check"]
    assert [each["run"] for each in job["steps"] if "run" in each][1:] == [".ci/run"]


def test_a_branch_is_replayed(place: Place) -> None:
    runner = place.runner("canary", place.base)
    # The base's tocsin is the one that is installed already.
    runner.skipped["pip install"] = "the same step as the action's, which ran"
    runner.run_job("canary.yml", "backtest")
    last = place.hosts.things["comments"][-1]
    assert "<!-- tocsin:canary -->" in body_of(last) and "kafka-consumer-lag" in body_of(last)
    (record,) = git(place.bare, "ls-tree", "-r", "--name-only", "tocsin-canary").split()
    document = json.loads(git(place.bare, "show", f"tocsin-canary:{record}"))
    assert document["rule"]["id"] == "kafka-consumer-lag" and document["signature"].startswith("hmac-sha256:")


def test_main_is_published_planned_synced_and_watched(place: Place) -> None:
    first = place.runner("publish", place.base)
    assert first.run_job("publish.yml", "release")["tag.version"] == ""
    (pull,) = [each for each in place.hosts.things["pulls"] if each.get("head") == "release/next"]
    assert pull["title"] == "Release v1.0.0" and pull["base"] == "main"
    again = place.runner("publish-again", place.base)
    again.run_job("publish.yml", "release")
    assert len([each for each in place.hosts.things["pulls"] if each.get("head") == "release/next"]) == 1
    # Somebody merges it.
    git(place.bare, "update-ref", "refs/heads/main", "refs/heads/release/next")
    merged = git(place.bare, "rev-parse", "main")
    second = place.runner("release", merged)
    assert second.run_job("publish.yml", "release")["tag.version"] == "v1.0.0"
    assert git(place.bare, "tag").split() == ["deploy/prod/v1.0.0", "deploy/staging/v1.0.0", "v1.0.0"]
    second.values["needs.release.outputs.version"] = "v1.0.0"
    second.conditions["needs.release.outputs.version != ''"] = True
    for job in ("build", "manifests", "pages", "assets"):
        second.run_job("publish.yml", job)
    assert (second.artifacts / "pages" / "index.html").is_file()
    assert "kubernetes/prod/kafka.prometheusrule.yaml" in git(
        place.bare, "ls-tree", "-r", "--name-only", "deploy"
    )
    assert (
        list(place.hosts.assets) == ["dist.tar.gz"] and place.hosts.assets["dist.tar.gz"][:2] == b"\x1f\x8b"
    )
    assert "### Added" in body_of(place.hosts.things["releases"][0])

    inputs = {"inputs.env": "prod", "inputs.evaluator": "grafana"}
    sync = place.runner("sync", merged, **inputs)
    outputs = sync.run_job("sync.yml", "plan")
    assert outputs["plan.code"] == "8" and "orders" in sync.summary
    sync.conditions["needs.plan.outputs.code != '0'"] = True
    with evaluating(place.grafana):
        sync.run_job("sync.yml", "sync")
    assert git(place.bare, "rev-parse", "--verify", "refs/tocsin/journal/prod-grafana")
    assert place.runner("sync-again", merged, **inputs).run_job("sync.yml", "plan")["plan.code"] == "0"

    drift = place.runner("drift", merged, **{"matrix.server": "grafana"})
    drift.run_job("drift.yml", "drift")
    assert "issues" not in place.hosts.things or not place.hosts.things["issues"]
    uid = first_rule(place)
    with place.grafana.edit() as edit:
        edit.pause(uid)
    drift.run_job("drift.yml", "drift")
    drift.run_job("drift.yml", "drift")
    (issue,) = place.hosts.things["issues"]
    assert issue["state"] == "open" and issue["labels"] == ["drift"]
    with place.grafana.edit() as edit:
        edit.pause(uid, paused=False)
    drift.run_job("drift.yml", "drift")
    assert issue["state"] == "closed"


def test_the_contract_starts_what_it_names(place: Place) -> None:
    runner = place.runner("contract", place.base, **{"matrix.grafana": "13.0.1"})
    runner.skipped["make contract"] = "the suite runs in this very run"
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "contract.yml").read_text())["jobs"]["contract"][
        "steps"
    ]
    env = {"GRAFANA_URL": place.grafana.url, "GRAFANA_PASSWORD": "contract", "GRAFANA_TAG": "13.0.1"}
    runner.run_steps(steps, env)
    assert any("docker.io/grafana/grafana:13.0.1" in call for call in runner.calls)


def test_every_job_is_here() -> None:
    """A job that nobody runs here would be a promise."""
    jobs = {
        f"{path.name}:{name}"
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
        if any("run" in step for step in job.get("steps", []))
    }
    text = Path(__file__).read_text()
    named = {
        job
        for job in jobs
        if f'"{job.partition(":")[0]}", "{job.partition(":")[2]}"' in text
        or f'"{job.partition(":")[2]}"' in text
    }
    assert jobs - named == set()


def test_the_template_for_gitlab(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load((ROOT / ".gitlab" / "tocsin.gitlab-ci.yml").read_text())
    hosts = Hosts()
    hosts.me = "gitlab"
    with serving(hosts) as forge:
        hosts.url = forge.url
        runner = place.runner("gitlab", place.head)
        runner.skipped["pip install"] = "the same step as the action's, which ran"
        runner.environment = {
            **{name: value for name, value in runner.environment.items() if not name.startswith("GITHUB")},
            "CI_API_V4_URL": forge.url,
            "CI_PROJECT_ID": "team/alerts",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": place.base,
            "GITLAB_TOKEN": "hunter2",
        }
        git(runner.work, "checkout", "--quiet", "--detach", place.head)
        for name in ("tocsin-check", "tocsin-note"):
            lines = [*document[".tocsin"]["before_script"], *document[name]["script"]]
            runner.run_steps([{"run": line} for line in lines], {})
            for path in document[name]["artifacts"]["paths"]:
                assert (runner.work / path).exists()
        (note,) = hosts.things["notes"]
        assert "less sensitive" in body_of(note)


def test_an_image_would_hold_tocsin_and_no_root(image: Path) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM debian:[0-9.]+-slim$", text, re.MULTILINE)
    assert text.index("USER tocsin") < text.index("ENTRYPOINT")
    assert "directory = /repository" in (image / "gitconfig").read_text()
    assert (image / "source" / "compiler" / "tocsin").is_dir()


def test_a_wheel_is_whole(installed: Path, tmp_path: Path) -> None:
    """Installed by itself it makes, checks and builds a repository with its site: schemas, pages of codes and the site's files are in it."""
    env = {"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for words in (
        ["init", "shop"],
        ["check", "shop"],
        ["build", "shop"],
        ["explain", "TOC401"],
        ["schema", "rules"],
    ):
        done = subprocess.run(
            [installed / "tocsin", *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    assert (tmp_path / "shop" / "dist" / "site" / "index.html").is_file()
    where = subprocess.run(
        [installed / "python", "-c", "import tocsin; print(tocsin.__file__)"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(installed.parent) in where.stdout
