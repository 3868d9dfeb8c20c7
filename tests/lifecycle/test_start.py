"""How a supervisor starts, and what stops it from starting."""

from __future__ import annotations

from msgspec.structs import replace


def test_jobs_that_waited_before_anything_ran_are_worked(project):
    project.queue("a", "hands:work")
    ids = project.enqueue("a", *[{}] * 20)
    run = project.run("--until-empty")
    assert run.ends() == 0
    assert sorted(event.id for event in project.events("end")) == sorted(ids)


def test_several_pools_run_side_by_side(project):
    project.queue("a", "hands:work", processes=2)
    project.queue("b", "hands:block")
    project.enqueue("a", {})
    project.enqueue("b", {})
    assert project.run("--until-empty").ends() == 0
    assert {event.queue for event in project.events("end")} == {"a", "b"}


def test_a_handler_that_cannot_be_imported_stops_the_boot_with_78_and_the_reason(project):
    project.queue("good", "hands:work")
    project.queue("bad", "nowhere:work")
    run = project.run()
    assert run.ends() == 78
    assert "queue 'bad' cannot start" in run.output
    assert "no module named 'nowhere'" in run.output


def test_a_module_that_raises_while_it_is_imported_is_shown_with_its_traceback(project):
    (project.root / "broken.py").write_text("1 / 0\n")
    project.queue("bad", "broken:work")
    run = project.run()
    assert run.ends() == 78
    assert "ZeroDivisionError" in run.output
    assert "broken.py" in run.output


def test_an_import_that_hangs_is_ended_at_its_limit_and_stops_the_boot(project):
    (project.root / "hung.py").write_text("import time\ntime.sleep(60)\n")
    project.rules = replace(project.rules, import_timeout=100)
    project.queue("bad", "hung:work")
    run = project.run()
    assert run.ends() == 78
    assert "its imports did not end within 100ms" in run.output


def test_a_pool_whose_workers_die_at_start_backs_off_and_ends_fatal_while_the_others_run_on(project):
    (project.root / "deadly.py").write_text("import os\nos._exit(5)\n")
    project.queue("bad", "deadly:work")
    project.queue("good", "hands:work")
    run = project.run()
    run.says("bad tries again in")
    run.says("bad is FATAL: cannot start: exit code 5")
    project.enqueue("good", {})
    project.sees("end")
    assert run.stop() == 1


def test_a_supervisor_whose_pools_are_all_fatal_ends_with_1(project):
    (project.root / "deadly.py").write_text("import os\nos._exit(5)\n")
    project.queue("bad", "deadly:work")
    run = project.run()
    assert run.ends() == 1
    assert "every pool is FATAL" in run.output


def test_a_pool_that_only_failed_for_a_while_recovers(project):
    (project.root / "moody.py").write_text(
        "import os, pathlib\n"
        "mark = pathlib.Path(__file__).with_name('mark')\n"
        "if not mark.exists():\n    mark.touch()\n    os._exit(5)\n"
        "from hands import work\n"
    )
    project.queue("a", "moody:work", processes=2)
    run = project.run()
    run.says("a runs")
    project.enqueue("a", {})
    project.sees("end")
    assert run.stop() == 0


def test_a_second_supervisor_of_the_same_queue_ends_with_13_and_names_the_first(project):
    project.queue("a", "hands:work")
    project.queue("b", "hands:work")
    first = project.run("--queues", "a")
    first.says("a runs")
    second = project.run()
    assert second.ends() == 13
    assert f"process {first.pid}" in second.output
    assert "'a'" in second.output


def test_supervisors_of_different_queues_run_side_by_side(project):
    project.queue("a", "hands:work")
    project.queue("b", "hands:work")
    first, second = project.run("--queues", "a"), project.run("--queues", "b")
    first.says("a runs")
    second.says("b runs")
    project.enqueue("a", {})
    project.enqueue("b", {})
    project.sees("end", 2)
    assert (first.stop(), second.stop()) == (0, 0)


def test_a_queue_that_nobody_declared_is_a_usage_error(project):
    project.queue("a", "hands:work")
    run = project.run("--queues", "b")
    assert run.ends() == 2
    assert "no queue 'b'" in run.output


def test_json_logs_are_json_on_every_line(project):
    import json

    project.queue("a", "hands:say", attempts=2)
    (job,) = project.enqueue("a", {})
    run = project.run("--until-empty", "--json")
    assert run.ends() == 0
    lines = [json.loads(line) for line in run.output.splitlines()]
    assert {line["worker"] for line in lines} == {"supervisor", "a.1"}
    assert len({tuple(line) for line in lines}) == 1, "each has every field"
    of_a_job = [line for line in lines if line["id"] is not None]
    assert {line["id"] for line in of_a_job} == {job}
    assert [
        (line["logger"], line["line"], line["attempt"]) for line in of_a_job if "shop" in line["logger"]
    ] == [
        ("shop", "on the loop", 1),
        ("shop", "in a thread", 1),
        ("shop", "on the loop", 2),
        ("shop", "in a thread", 2),
    ]
    (failed,) = [line for line in of_a_job if line["logger"] == "pipeline.worker"]
    assert (failed["level"], failed["queue"], failed["job"], failed["attempt"]) == ("warning", "a", "job", 1)
