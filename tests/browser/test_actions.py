"""What can be done with jobs, by hand: each action reaches the broker, and the page says how it went."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.running import Shop, eventually

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]
LATER = "3h"


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def agree(page: Page, name: str) -> None:
    """Say yes in the window that asks."""
    page.get_by_role("dialog").get_by_role("button", name=name).click()
    page.get_by_role("dialog").wait_for(state="detached")


def told(page: Page, text: str | re.Pattern[str]) -> None:
    page.locator(".toast").filter(has_text=text).first.wait_for()


def delayed(shop: Shop, *ids: str) -> None:
    for id in ids:
        shop.client.enqueue("mail.digest", "weekly", {"to": id, "n": 1}, id=id, delay=LATER)


def test_a_job_is_added_with_a_payload_that_the_schema_begins(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("queues/payments")
    press(page, "Add a job")
    window = page.get_by_role("dialog")
    payload = window.get_by_label("Payload (job.data)")
    expect(payload).to_have_value(re.compile(r'"charge": "ch_1"'))
    payload.fill('{"charge": "ch_1", "card": "1", "amount": 0}')
    window.get_by_label("Own id").fill("by-hand")
    window.get_by_role("button", name="Add").click()
    expect(window.get_by_role("alert")).to_contain_text("amount")
    payload.fill('{"charge": "ch_1", "card": "1", "amount": 9007199254740993, ')
    expect(window.get_by_text(re.compile("Line 1, column"))).to_be_visible()
    expect(window.get_by_role("button", name="Add")).to_be_disabled()
    payload.fill('{"charge": "ch_1", "card": "1", "amount": 9007199254740993}')
    window.get_by_role("button", name="Add").click()
    told(page, "Added by-hand")
    shop.comes("payments", "by-hand", "completed")
    assert shop.client.job("payments", "by-hand").data["amount"] == 2**53 + 1


def test_a_dead_job_is_retried(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("queues/payments/jobs/declined-0")
    press(page, "Retry")
    told(page, "It waits again.")
    eventually(lambda: shop.state("payments", "declined-0") == "dead", "it dies again")


def test_a_running_job_is_cancelled(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("queues/reports/jobs/report-2")
    press(page, "Cancel it, running")
    agree(page, "Cancel it")
    told(page, re.compile("Its worker is told|It is cancelled"))
    shop.comes("reports", "report-2", "cancelled")
    page.locator(".head-facts").get_by_text("cancelled").wait_for()


def test_a_delayed_job_is_run_now(visit: Open, shop: Shop) -> None:
    delayed(shop, "soon")
    page = visit("olga").open("queues/mail.digest/jobs/soon")
    press(page, "Run now")
    shop.comes("mail.digest", "soon", "completed")


def test_a_job_is_duplicated_and_removed(visit: Open, shop: Shop) -> None:
    delayed(shop, "twin")
    page = visit("olga").open("queues/mail.digest/jobs/twin")
    press(page, "Duplicate")
    told(page, "Another like it")
    press(page, "Remove")
    agree(page, "Remove it")
    told(page, "twin is removed")
    shop.comes("mail.digest", "twin", None)


def test_an_edit_leaves_what_is_hidden_as_it_is(visit: Open, shop: Shop) -> None:
    data = {"charge": "ch_edit", "card": "4000 1234", "amount": 5, "fate": "fine", "big": 2**60}
    shop.client.enqueue("payments", "capture", data, id="edited", delay=LATER)
    page = visit("olga").open("queues/payments/jobs/edited")
    assert "4000 1234" not in page.content()
    press(page, "Edit")
    window = page.get_by_role("dialog")
    payload = window.get_by_label("Payload (job.data)")
    expect(payload).to_have_value(re.compile(r"\[redacted\]"))
    payload.fill(payload.input_value().replace('"amount": 5', '"amount": 6'))
    window.get_by_label("Priority").fill("7")
    window.get_by_role("button", name="Save").click()
    told(page, "It is changed.")
    job = shop.client.job("payments", "edited")
    assert (job.data, job.priority) == ({**data, "amount": 6}, 7)


def test_selected_jobs_are_removed_with_progress(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("queues/archive?state=waiting&job=store&id=archive-7")
    page.get_by_label("Select archive-7", exact=True).check()
    page.get_by_label("Select archive-77", exact=True).check()
    press(page, "Remove")
    agree(page, "Remove")
    page.locator(".task").filter(has_text="done: 2 moved").wait_for()
    shop.comes("archive", "archive-77", None)
    assert shop.state("archive", "archive-78") == "waiting"


def test_all_that_fit_the_filters_are_moved_at_once(visit: Open, shop: Shop) -> None:
    for n in range(80):
        shop.client.enqueue("mail.digest", "sweep", {"n": n}, id=f"sweep-{n}", delay=LATER)
    page = visit("olga").open("queues/mail.digest?state=delayed&job=sweep")
    page.get_by_label("all that fit the filters").check()
    press(page, "Cancel")
    agree(page, "Cancel")
    page.locator(".task").filter(has_text="80 moved").wait_for()
    assert {shop.state("mail.digest", f"sweep-{n}") for n in range(80)} == {"cancelled"}


def test_dead_jobs_of_one_cause_are_redriven_a_few_first(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("dead?queue=payments")
    group = page.locator(".group").filter(has_text="GatewayBusy")
    group.get_by_role("button", name="Redrive …").click()
    window = page.get_by_role("dialog")
    window.get_by_label("Send first").fill("2")
    window.get_by_role("button", name="Redrive", exact=True).click()
    # They die again, so the rest is left where it is.
    page.locator(".task").filter(has_text=re.compile("2 died again")).wait_for()


def test_a_queue_is_paused_for_a_while_and_resumed(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("queues/archive")
    press(page, "Pause")
    window = page.get_by_role("dialog")
    window.get_by_label("For how long").fill("1h")
    window.get_by_role("button", name="Pause").click()
    told(page, "archive is paused until")
    page.locator(".head-facts .health").filter(has_text="paused").wait_for()
    press(page, "Resume")
    told(page, "archive goes on.")


def test_a_queue_is_scaled_and_goes_back_to_the_file(visit: Open, shop: Shop) -> None:
    page = visit("alice").open("queues/reports")
    press(page, "More")
    press(page, "Scale …")
    window = page.get_by_role("dialog")
    window.get_by_label("Worker processes on each host").fill("2")
    window.get_by_role("button", name="Scale").click()
    told(page, "2 processes on each host")
    page.reload()
    press(page, "More")
    back = page.get_by_role("button", name="Back to the file")
    expect(back).not_to_have_attribute("aria-disabled", "true")
    back.click()
    told(page, "as the file says again: processes")


def test_a_purge_wants_the_name_of_the_queue(visit: Open, shop: Shop) -> None:
    shop.client.enqueue("attic", "store", {}, id="to-be-purged")
    page = visit("alice").open("queues/attic")
    press(page, "More")
    press(page, "Purge …")
    window = page.get_by_role("dialog")
    expect(window.get_by_role("button", name="Delete them")).to_be_disabled()
    window.get_by_label("Type attic").fill("attic")
    agree(page, "Delete them")
    page.locator(".task").filter(has_text="purge").wait_for()
    shop.comes("attic", "to-be-purged", None)


def test_a_schedule_is_run_paused_and_resumed(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("schedules")
    row = page.get_by_role("row").filter(has_text="tidy")
    row.get_by_role("button", name="Run now").click()
    told(page, re.compile("tidy: .* is in."))
    row.get_by_role("button", name="Pause").click()
    row.get_by_text("paused").wait_for()
    row.get_by_role("button", name="Resume").click()
    row.get_by_text("paused").wait_for(state="detached")


def test_a_flow_is_started_retried_and_cancelled(visit: Open, shop: Shop) -> None:
    page = visit("olga").open("flows")
    press(page, "Start one …")
    window = page.get_by_role("dialog")
    window.get_by_label(re.compile("Data")).fill(
        '{"order": "ch_by_hand", "sku": "sku-7", "fate": "declined"}'
    )
    window.get_by_label("Own id").fill("by-hand")
    window.get_by_role("button", name="Start", exact=True).click()
    told(page, "checkout:by-hand runs.")
    eventually(lambda: shop.client.flow("checkout:by-hand").state == "failed", "it fails")
    page = visit("olga").open("flows/checkout/by-hand")
    press(page, "Retry")
    told(page, "It goes on where it failed.")
    page = visit("olga").open("flows/checkout/waits")
    press(page, "Cancel")
    agree(page, "Cancel the flow")
    eventually(lambda: shop.client.flow("checkout:waits").state == "cancelled", "it is cancelled")


def test_the_file_is_reloaded_shown_as_changed_and_rolled_back(visit: Open, shop: Shop) -> None:
    page = visit("alice").open("config")
    before = shop.file.read_text()
    shop.file.write_text(before.replace("concurrency: 5", "concurrency: 6"))
    press(page, "Reload now")
    told(page, re.compile("Generation .* runs.|is what runs already"))
    page = visit("alice").open("config?view=history")
    page.get_by_text("queues.stock.concurrency").first.wait_for()
    page.get_by_role("button", name="Roll back").last.click()
    agree(page, "Roll back")
    told(page, "runs again")
    shop.file.write_text(before)


def test_a_viewer_sees_every_action_and_why_it_is_not_theirs(visit: Open, shop: Shop) -> None:
    page = visit("victor").open("queues/payments/jobs/busy-2")
    button = page.get_by_role("button", name="Retry")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", "Needs the role operator; victor has the role viewer.")
    button.click(force=True)
    assert shop.state("payments", "busy-2") == "dead"
    expect(page.get_by_role("link", name="Audit")).to_have_count(0)


def test_what_was_done_stands_in_the_audit(visit: Open, shop: Shop) -> None:
    page = visit("alice").open("queues/archive/jobs/archive-1")
    press(page, "Duplicate")
    told(page, "Another like it")
    page = visit("alice").open("audit")
    page.get_by_role("row").filter(has_text="archive-1/duplicate").filter(has_text="alice").first.wait_for()
