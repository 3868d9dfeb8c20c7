"""Whether alerts arrive, tried by hand."""

from __future__ import annotations

from tests.alerts.receiver import receiving
from tests.cli.conftest import Shop


def alert(shop: Shop, text: str) -> None:
    shop.file.write_text(shop.file.read_text() + f"alerts: {{{text}}}\n")


def test_a_test_message_arrives(shop: Shop) -> None:
    with receiving() as receiver:
        alert(shop, f"oncall: {{url: '{receiver.url}', format: slack}}")
        assert shop.ok("alerts", "test", "oncall") == "oncall: sent\n"
        assert receiver.texts == ["shop: a test of the alert oncall"]


def test_a_receiver_that_refuses_is_told_and_its_address_is_not(shop: Shop) -> None:
    with receiving() as receiver:
        receiver.status = 404
        alert(shop, f"oncall: {{url: '{receiver.url}/token'}}")
        result = shop.call("alerts", "test", "oncall")
    assert result.exit_code == 1
    assert "error: it answered 404" in result.stderr
    assert "token" not in result.output


def test_an_unknown_alert_is_answered_with_the_near_one(shop: Shop) -> None:
    alert(shop, "oncall: {command: [page]}")
    result = shop.call("alerts", "test", "onkall")
    assert result.exit_code == 1
    assert "there is no alert 'onkall' in shop" in result.stderr
    assert "did you mean 'oncall'?" in result.stderr


def test_a_secret_that_is_not_set_here_is_told(shop: Shop) -> None:
    alert(shop, "oncall: {url: {secret: slack}}")
    shop.file.write_text(shop.file.read_text() + "secrets: {slack: {env: NO_SUCH_VARIABLE}}\n")
    result = shop.call("alerts", "test", "oncall")
    assert result.exit_code == 1
    assert "the variable NO_SUCH_VARIABLE is empty or not set" in result.stderr
    assert shop.ok("enqueue", "emails", "welcome", "{}") == "1  created\n"
