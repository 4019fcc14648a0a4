"""Command line: ``python -m localbatch --port 0 --state DIR --config FILE.json [--host NAME] [--slots QUEUE=2]``."""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from localbatch.api import LOCAL_HOST, Server, routes
from localbatch.batch_operations import BatchOperations
from localbatch.config import Config, load_config
from localbatch.definitions import Definitions
from localbatch.errors import BatchClientError, ConfigurationError
from localbatch.log_operations import LogOperations
from localbatch.logs import LogFiles
from localbatch.scheduler import Scheduler
from localbatch.state import StateFolder

EXIT_BAD_CONFIGURATION = 78


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="localbatch", description="A stand-in for AWS Batch on this machine.")
    parser.add_argument("--host", default=LOCAL_HOST, help="name by which clients call; its address is listened on")
    parser.add_argument("--port", type=int, required=True, help="port of that address; 0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for jobs, logs and the file 'port'")
    parser.add_argument("--config", type=Path, required=True, help="JSON file with queues and job definitions")
    parser.add_argument(
        "--slots", type=slots, action="append", default=[], metavar="QUEUE=N", help="jobs of QUEUE that run at a time"
    )
    return parser.parse_args(arguments)


def slots(text: str) -> tuple[str, int]:
    """Queue and number of ``QUEUE=N``."""
    name, _, count = text.rpartition("=")
    if not name or not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not QUEUE=N with N above 0")
    return name, int(count)


def serve(host: str, port: int, config: Config, state: StateFolder) -> None:
    """Serve until SIGTERM or SIGINT, then leave no job running; raises ``OSError`` where it cannot listen."""
    logs = LogFiles(state.logs)
    definitions = Definitions(config, state)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler = Scheduler(config, state, logs)
    try:
        operations = routes(BatchOperations(config, definitions, scheduler), LogOperations(logs, config.arn))
        with Server(host, port, operations) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            state.write_port(server.server_port)
            print(f"listening on http://{host}:{server.server_port}", flush=True)
            stop.wait()
            server.shutdown()
    finally:
        scheduler.close()


def main(arguments: list[str]) -> int:
    """Run the server; the exit code."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        config = load_config(options.config, dict(options.slots))
        serve(options.host, options.port, config, StateFolder(options.state))
    except (BatchClientError, ConfigurationError) as error:
        print(f"localbatch: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIGURATION
    except OSError as error:
        where = f"{options.host} port {options.port}"
        print(f"localbatch: {where}: {error.strerror}; give another --host or --port", file=sys.stderr)
        return EXIT_BAD_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
