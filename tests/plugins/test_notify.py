import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import structlog
from airflow.api_fastapi.execution_api.datamodels.taskinstance import DagRun as DagRunModel
from airflow.api_fastapi.execution_api.datamodels.taskinstance import TaskInstance as TaskInstanceModel
from airflow.callbacks.callback_requests import DagCallbackRequest, DagRunContext
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseNotifier

from lfcore.errors import SettingsError
from lightfield.notify import VARIABLE, dag_callbacks
from lightfield.tidings import Tidings


class Keeper(BaseNotifier):
    """A notifier of a lab's own: keeps what it would send."""

    template_fields = ("subject", "message")
    sent: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, subject: str, message: str = "") -> None:
        super().__init__()
        self.subject = subject
        self.message = message

    def notify(self, context: object) -> None:
        self.sent.append((self.subject, self.message))


KEEPER = f"{__name__}.Keeper"


def told_by_the_processor(tmp_path: Path, conf: dict[str, Any], is_failure: bool) -> None:
    """Have a DAG's callbacks called as the DAG processor does at the scheduler's request."""
    with DAG("some", **callbacks({"class": KEEPER, "on": ["success", "failure"]})) as dag:
        PythonOperator(task_id="work", python_callable=int)
    bag = DagBag(tmp_path)
    bag.bag_dag(dag)
    ids = {"dag_id": "some", "run_id": "manual__1"}
    dates = dict.fromkeys(["logical_date", "data_interval_start", "data_interval_end", "start_date", "end_date"])
    run = {"run_after": datetime.now(UTC), "run_type": "manual", "state": "failed", "conf": conf, "partition_key": None}
    request = DagCallbackRequest(
        filepath="some.py",
        bundle_name="dags-folder",
        bundle_version=None,
        msg="task_failure" if is_failure else "success",
        is_failure_callback=is_failure,
        context_from_server=DagRunContext(
            dag_run=DagRunModel(**ids, **dates, **run, consumed_asset_events=[]),
            last_ti=TaskInstanceModel(
                **ids, id=uuid.uuid4(), task_id="work", try_number=1, dag_version_id=uuid.uuid4()
            ),
        ),
        **ids,
    )
    _execute_dag_callbacks(bag, request, structlog.get_logger())


def test_airflow_itself_sends_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "sent", [])
    for is_failure in (False, True):
        told_by_the_processor(tmp_path, {"dataset": f"{tmp_path}/fish"}, is_failure)
    [good, bad] = Keeper.sent
    assert good[0] == f"some done: {tmp_path}/fish"
    assert bad[0] == f"some failed: {tmp_path}/fish"
    assert "What failed" not in good[1]
    assert "What failed: work: task_failure" in bad[1]
    assert "Run: manual__1\n" in bad[1]


def callbacks(*entries: dict[str, Any]) -> dict[str, list[BaseNotifier]]:
    return {**dag_callbacks({VARIABLE: json.dumps(entries)})}


def context(conf: dict[str, Any] | None, **more: object) -> dict[str, Any]:
    dag = DAG("lightfield_reconstruction", dag_display_name="Light field reconstruction")
    return {"dag": dag, "run_id": "manual__a+b&c", "dag_run": SimpleNamespace(conf=conf), **more}


def test_nothing_is_configured_by_default() -> None:
    assert dag_callbacks({}) == {"on_success_callback": None, "on_failure_callback": None}


def test_a_notifier_tells_only_of_what_it_is_asked_for() -> None:
    found = callbacks({"class": KEEPER}, {"class": KEEPER, "on": ["success", "failure"]})
    assert [len(found[f"on_{event}_callback"]) for event in ("failure", "success")] == [2, 1]


def test_the_default_text_says_what_failed_and_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.lab/")
    monkeypatch.setattr(Keeper, "sent", [])
    record = tmp_path / "run/failures/normalise/3.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"message": "normalise [frames 0-9]: raw/a.tif is torn"}))
    [notifier] = callbacks({"class": KEEPER})["on_failure_callback"]
    notifier(context({"dataset": f"{tmp_path}/fish 3", "run": f"{tmp_path}/run"}, reason="task_failure"))
    [(subject, message)] = Keeper.sent
    assert subject == f"Light field reconstruction failed: {tmp_path}/fish 3"
    assert "What failed: normalise [frames 0-9]: raw/a.tif is torn" in message
    quoted = "dag_id=lightfield_reconstruction&run_id=manual__a%2Bb%26c"
    assert f"https://airflow.lab/lightfield/run?{quoted}\n" in message
    assert f"https://airflow.lab/lightfield/report?{quoted}" in message


def test_given_texts_are_kept_and_may_use_the_tidings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "sent", [])
    arguments = {"subject": "done", "message": "{{ lightfield.dataset }} of {{ run_id }}"}
    [notifier] = callbacks({"class": KEEPER, "on": ["success"], "arguments": arguments})["on_success_callback"]
    notifier(context({"dataset": "/data/fish"}))
    assert Keeper.sent == [("done", "/data/fish of manual__a+b&c")]


@pytest.mark.parametrize(
    ("conf", "named"),
    [
        ({"dataset": "/data/fish", "setings": {}}, "request: conf: unknown key 'setings'"),
        ({"dataset": "/data/fish"}, "report: task_failure"),
        (None, "report: task_failure"),
    ],
)
def test_without_a_failed_job_the_reason_is_told(conf: dict[str, Any] | None, named: str) -> None:
    told = Tidings.of(context(conf, reason="task_failure", ti=SimpleNamespace(task_id="report")), "failure")
    [failure] = told.failures
    assert failure.startswith(named)


def test_a_context_of_little_is_enough() -> None:
    told = Tidings.of({"dag": DAG("some"), "run_id": "r"}, "failure")
    assert told.subject == "some failed: r"
    assert told.failures == ("no reason given",)


def test_no_line_can_be_forged() -> None:
    told = Tidings.of(context({"dataset": "/data/fish\r\nBcc: all@lab\x85x"}), "success")
    assert told.subject == "Light field reconstruction done: /data/fish Bcc: all@lab x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "LIGHTFIELD_NOTIFIERS: not valid JSON"),
        ('{"class": "x"}', "must be a list"),
        ("[{}]", r"LIGHTFIELD_NOTIFIERS\[0\]\.class: there is no None"),
        ('[{"class": "no.such.Thing"}]', r"\[0\]\.class: there is no 'no\.such\.Thing' \(No module named 'no'"),
        ('[{"class": "json.dumps"}]', "'json.dumps' is no notifier of Airflow"),
        (json.dumps([{"class": KEEPER, "arguments": {"to": 1}}]), "Keeper does not take these arguments.*'to'"),
        (json.dumps([{"class": KEEPER, "arguments": 1}]), r"\[0\]\.arguments: 1 must be an object"),
        (json.dumps([{"class": KEEPER, "on": ["retry"]}]), r"\[0\]\.on: \['retry'\] must be a list of"),
        (json.dumps([{"class": KEEPER, "args": {}}]), "unknown key 'args'"),
    ],
)
def test_a_bad_configuration_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        dag_callbacks({VARIABLE: text})
    assert "\n" not in str(caught.value)


def test_an_email_has_subject_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    smtp = pytest.importorskip("airflow.providers.smtp.notifications.smtp")
    sent: list[dict[str, object]] = []

    class Hook:
        """Stands for the connection to a mail server, which is the provider's and not under test."""

        from_email = subject_template = html_content_template = None

        def __enter__(self) -> "Hook":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def send_email_smtp(self, **arguments: object) -> None:
            sent.append(arguments)

    monkeypatch.setattr(smtp.SmtpNotifier, "hook", Hook())
    arguments = {"to": "lab@example.org", "from_email": "airflow@example.org"}
    [notifier] = callbacks({"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "arguments": arguments})[
        "on_failure_callback"
    ]
    notifier(context({"dataset": "/data/<b>fish"}, reason="task_failure"))
    [mail] = sent
    assert mail["subject"] == "Light field reconstruction failed: /data/<b>fish"
    assert mail["to"] == "lab@example.org"
    assert "Data set: /data/&lt;b&gt;fish\n" in str(mail["html_content"])
