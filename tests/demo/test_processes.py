import os
import subprocess
import sys
import time
from pathlib import Path

from demo.processes import tail

REPOSITORY = Path(__file__).resolve().parents[2]
# Starts a process group with a child whose own child has left its session, says who they are, and waits.
LAUNCHER = """
import os, sys, time
from pathlib import Path
from demo.processes import ProcessGroup
folder = Path(sys.argv[1])
grandchild = "import time; time.sleep(600)"
child = (
    "import os, subprocess, sys, time; from pathlib import Path;"
    f"p = subprocess.Popen([sys.executable, '-c', '{grandchild}'], start_new_session=True);"
    f"Path('{folder}/part').write_text(f'{{os.getpid()}} {{p.pid}}'); os.rename('{folder}/part', '{folder}/ids');"
    "time.sleep(600)"
)
with ProcessGroup(folder / "logs") as group:
    group.start("child", [sys.executable, "-c", child], os.environ)
    while not (folder / "ids").is_file():
        time.sleep(0.05)
    if sys.argv[2] == "wait":
        time.sleep(600)
"""


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text()


def is_running(process_id: str) -> bool:
    try:
        return Path("/proc", process_id, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_leaving_ends_descendants_that_left_the_session(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LAUNCHER, str(tmp_path), "leave"], cwd=REPOSITORY, check=True, timeout=60)
    assert not any(is_running(process_id) for process_id in wait_for(tmp_path / "ids").split())


def test_a_killed_launcher_takes_its_children_along(tmp_path: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path), "wait"], cwd=REPOSITORY)
    child, grandchild = wait_for(tmp_path / "ids").split()
    launcher.kill()
    launcher.wait(10)
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # This child tells nobody; Airflow's components and the local Batch end their own on SIGTERM.
    os.kill(int(grandchild), 9)


# In a process of its own, because a process group adopts, and at its end kills, every descendant of its process.
def run_here(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    lines = f"import os, sys, time\nfrom pathlib import Path\nfrom demo.processes import ProcessGroup\n{code}"
    return subprocess.run(
        [sys.executable, "-c", lines, str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_early_end_is_told_with_the_log(tmp_path: Path) -> None:
    code = """
with ProcessGroup(Path(sys.argv[1])) as group:
    group.start("server", [sys.executable, "-c", "print('port taken'); exit(3)"], os.environ)
    while True:
        group.check()
        time.sleep(0.05)
"""
    assert "ProcessDiedError: server ended with code 3:\nport taken" in run_here(code, tmp_path).stderr


def test_a_one_shot_command_must_succeed(tmp_path: Path) -> None:
    code = """
with ProcessGroup(Path(sys.argv[1])) as group:
    group.start_once("good", [sys.executable, "-c", ""], os.environ).finish()
    group.start_once("bad", [sys.executable, "-c", "print('no space'); exit(1)"], os.environ).finish()
"""
    assert "ProcessDiedError: bad ended with code 1:\nno space" in run_here(code, tmp_path).stderr


def test_the_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == ""
    (tmp_path / "some.log").write_text("".join(f"{line}\n" for line in range(100)))
    assert tail(tmp_path / "some.log", 2) == "98\n99"
