"""The operator that sees one data set of a night through: starts its reconstruction, waits, and keeps the ledger."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.operators.trigger_dagrun import XCOM_RUN_ID, TriggerDagRunLink
from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf as configuration
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from lightfield import dag_runs, ledger
from lightfield.ledger import Record, State
from lightfield.nightly import Order, conf
from lightfield.outcomes import ACTIVE_STATES, settled, traces_of

LONGEST_NIGHT_S = 22 * 3600.0
"""After this time a night waits for nothing any more, so that the next one can begin; what runs goes on."""
POLL_S = 30.0
LONGEST_PAUSE_S = 600.0
MOST_RUN_IDS = 100


class NightlyReconstructionOperator(BaseOperator):
    """Sees one ``Order`` (as a dict) through, with the night's overrides of settings.

    It waits in a triggerer (``deferrable``), or by coming back every now and then: a waiting task that held a slot
    could keep the runs that it waits for from getting one. Ending the task leaves the reconstruction alone; the next
    night takes it up. A reconstruction that fails fails the task, for good, since the next night decides whether it
    is tried again.
    """

    operator_extra_links = (TriggerDagRunLink(),)
    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        order: dict[str, Any],
        trigger_dag_id: str,
        deferrable: bool = configuration.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - whatever Airflow gives every operator
    ) -> None:
        super().__init__(**kwargs)
        self.order = order
        self.trigger_dag_id = trigger_dag_id
        self.deferrable = deferrable

    @property
    def dataset(self) -> str:
        """What the user interface calls the task."""
        return str(self.order["dataset"])

    def execute(self, context: Context) -> str:
        """Start the run, or find the one that is there, and wait for it."""
        order, until = Order(**self.order), _night_began(context) + LONGEST_NIGHT_S
        known = ledger.read(order.dataset)
        resumed = known is not None and order.is_of(known)
        if known is not None and resumed:  # by a former try of this task, or an earlier night
            if known.state is not State.RUNNING:
                return self._conclude(known)
            order = Order.resume(known)
        state = dag_runs.state_of(self.trigger_dag_id, order.run_id) if resumed else None
        if state is None:
            if time.time() >= until:
                return "left for the next night"
            self._wait_for_turn(context)
            order = self._begun(order, dict(context["params"]["settings"] or {}), resumed)
            state = dag_runs.state_of(self.trigger_dag_id, order.run_id)
        context["ti"].xcom_push(key=XCOM_RUN_ID, value=order.run_id)
        if state in ACTIVE_STATES and time.time() < until:
            self._wait(order, until)
        return self._judge(order, state)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Take up the task again when the trigger has seen the run end, or the time is over."""
        return self._judge(replace(Order(**self.order), run_id=event["run_id"]), event["state"])

    def _wait_for_turn(self, context: Context) -> None:
        """Come back later while as many tasks before this one as may be under way are not finished.

        Airflow counts tasks that wait in a triggerer, but not those that come back.
        """
        at_once, mine = self.max_active_tis_per_dagrun, context["ti"].map_index
        if self.deferrable or at_once is None or mine is None:
            return
        unfinished = dag_runs.unfinished(self.dag_id, str(context["run_id"]), self.task_id)
        too_many = sum(index < mine for index in unfinished) - at_once + 1
        if too_many > 0:
            # The further back in the queue, the less often it looks, so that looking costs little for any number.
            _come_back(min(LONGEST_PAUSE_S, POLL_S * too_many))

    def _wait(self, order: Order, until: float) -> NoReturn:
        if self.deferrable:
            trigger = dag_runs.RunEndTrigger(self.trigger_dag_id, order.run_id, until, POLL_S)
            self.defer(trigger=trigger, method_name="execute_complete")
        _come_back(POLL_S)

    def _judge(self, order: Order, state: str | None) -> str:
        """Write down how the run ended, if it did."""
        if state in ACTIVE_STATES:
            return f"still {state}; it goes on, and the next night takes it up"
        ended = settled(order.record(), state, traces_of(order.run))
        ledger.write(ended)
        return self._conclude(ended)

    def _begun(self, order: Order, settings: dict[str, Any], resumed: bool) -> Order:
        """Start the order's run, under a further number where Airflow has a run of its id that has failed."""
        note = f"Started by {self.dag_id}"
        for number in range(order.attempt + 1, order.attempt + MOST_RUN_IDS):
            # First the ledger: a night that is killed here finds a run that was never begun, and begins it.
            ledger.write(order.record())
            if dag_runs.start(self.trigger_dag_id, order.run_id, conf(order, settings), note):
                return order
            if resumed or dag_runs.state_of(self.trigger_dag_id, order.run_id) != "failed":
                self.log.info("Run %s is there already; waiting for it", order.run_id)
                return order
            order = order.renamed(number)
        raise AirflowException(f"{order.dataset}: has {MOST_RUN_IDS} failed runs; delete some of them in Airflow")

    def _conclude(self, record: Record) -> str:
        if record.state is State.FAILED:
            raise AirflowFailException(f"{record.dataset}: {record.message}")
        return record.message or str(record.state)


def _night_began(context: Context) -> float:
    """When the night's run began, s since 1970."""
    began = context["dag_run"].start_date
    return began.timestamp() if began else time.time()


def _come_back(pause_s: float) -> NoReturn:
    """Give the slot back, and be called anew after a pause."""
    when = datetime.now(UTC) + timedelta(seconds=pause_s)
    raise AirflowRescheduleException(when)  # type: ignore[no-untyped-call]  # Airflow's own is not annotated
