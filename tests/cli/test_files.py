"""Commands on a config of several files, with profiles and secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline import AsyncClient, Client
from pipeline.cli.cache import plan_of_file
from pipeline.errors import ConfigError

Shop = Any
MORE = "include: [more/*.yaml]\nprofiles: {dev: {queues: {emails: {concurrency: 2}}}}\n"
STOCK = "queues: {stock: {handler: 'handlers:send', timeout: 20s, concurrency: '${N:-3}'}}\n"


@pytest.fixture
def file(shop: Shop) -> Path:
    """The shop's config, which includes another file and has a profile."""
    stock = shop.root / "configs" / "more" / "stock.yaml"
    stock.parent.mkdir()
    stock.write_text(STOCK)
    shop.file.write_text(shop.file.read_text() + MORE)
    return Path(shop.file)


class TestValidate:
    def test_it_counts_the_files_and_names_the_profile(self, shop: Shop, file: Path) -> None:
        assert f"{file}: valid, 3 queues in 2 files;" in shop.ok("validate", file)
        assert "3 queues in 2 files, profile dev;" in shop.ok("validate", file, "--profile", "dev")

    def test_it_checks_every_profile_and_what_files_share_is_told_once(self, shop: Shop, file: Path) -> None:
        file.write_text(file.read_text().replace("concurrency: 2", "concurrency: 0"))
        (file.parent / "more" / "stock.yaml").write_text(STOCK.replace("20s", "20"))
        other = file.with_name("other.yaml")
        other.write_text(file.read_text())
        result = shop.call("validate", file, other, "--format", "json")
        places = [(one["range"]["file"], one["path"]) for one in json.loads(result.stdout)["diagnostics"]]
        assert places == [
            (str(file), "profiles.dev.queues.emails.concurrency"),
            (str(file.parent / "more" / "stock.yaml"), "queues.stock.timeout"),
            (str(other), "profiles.dev.queues.emails.concurrency"),
        ]

    def test_an_unset_secret_is_a_note_and_an_error_when_the_broker_is_looked_at(
        self, shop: Shop, file: Path
    ) -> None:
        text = file.read_text().replace(f"url: {shop.url}", "url: {secret: broker}")
        file.write_text(text + "secrets: {broker: {file: broker}}\n")
        result = shop.call("validate", file)
        assert result.exit_code == 0
        assert "note[P208]" in result.stdout
        assert "error[P208]" in shop.call("validate", file, "--connect").stdout
        (shop.root / "broker").write_text(f"{shop.url}\n")
        out = shop.ok("validate", file, "--connect")
        assert "P208" not in out
        assert f"{file}:4:17: warning[P603]" in out  # what is said of the broker stands at its address

    @pytest.mark.parametrize("form", [("--json",), ("--format", "json"), ("--format=json",)])
    def test_usage_errors_and_unreadable_files_are_json_too(self, shop: Shop, form: tuple[str, ...]) -> None:
        result = shop.call("validate", "--nope", *form)
        assert result.exit_code == 2
        assert json.loads(result.stdout)["error"]["code"] == "usage"
        result = shop.call("validate", shop.root / "none.yaml", *form)
        assert result.exit_code == 1
        assert [one["code"] for one in json.loads(result.stdout)["diagnostics"]] == ["P001"]


class TestTheProfile:
    def shown(self, shop: Shop, *words: str) -> str:
        return str(shop.ok("config", "show", "--queue", "emails", *words))

    def test_it_is_an_option_of_every_command_a_variable_or_the_one_that_runs(
        self, shop: Shop, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "concurrency: 10" in self.shown(shop)
        (shop.root / ".pipeline").mkdir(mode=0o700)
        record = {"file": str(file), "pid": os.getpid(), "profile": "dev"}
        (shop.root / ".pipeline" / "supervisor.json").write_text(json.dumps(record))
        assert "concurrency: 2" in self.shown(shop)
        assert "concurrency: 10" in self.shown(shop, "--profile", "")
        monkeypatch.setenv("PIPELINE_PROFILE", "nope")
        assert "concurrency: 2" in self.shown(shop, "--profile", "dev")
        assert "has no profile 'nope'" in shop.call("config", "show").stderr

    def test_that_of_a_supervisor_that_is_gone_or_runs_another_file_does_not_count(
        self, shop: Shop, file: Path
    ) -> None:
        (shop.root / ".pipeline").mkdir(mode=0o700)
        record = shop.root / ".pipeline" / "supervisor.json"
        for other in ({"file": str(file), "pid": 2**22 + 1}, {"file": "/srv/other.yaml", "pid": os.getpid()}):
            record.write_text(json.dumps({**other, "profile": "dev"}))
            assert "concurrency: 10" in self.shown(shop)
        record.write_text("[]")
        assert "concurrency: 10" in self.shown(shop)

    async def test_a_client_has_one_too(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Client(file, profile="dev")
        for client in (Client, AsyncClient):
            with pytest.raises(ConfigError):
                client(file, profile="nope")
        monkeypatch.setenv("PIPELINE_PROFILE", "nope")
        with pytest.raises(ConfigError):
            Client(file)
        Client(file, profile="")


class TestKeptPlans:
    @pytest.fixture(autouse=True)
    def state(self, shop: Shop) -> Path:
        folder = Path(shop.root / ".pipeline")
        folder.mkdir(mode=0o700)
        return folder

    def test_another_profile_is_another_plan(self, file: Path) -> None:
        for _ in range(2):
            assert plan_of_file(file).queues["emails"].concurrency == 10
            assert plan_of_file(file, "dev").queues["emails"].concurrency == 2

    def test_a_change_of_an_included_file_of_its_variables_or_of_the_files_is_another_plan(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert plan_of_file(file).queues["stock"].concurrency == 3
        monkeypatch.setenv("N", "7")
        assert plan_of_file(file).queues["stock"].concurrency == 7
        stock = file.parent / "more" / "stock.yaml"
        stock.write_text(STOCK.replace("'${N:-3}'", "8"))
        assert plan_of_file(file).queues["stock"].concurrency == 8
        stock.with_name("b.yaml").write_text(STOCK.replace("stock", "b"))
        assert "b" in plan_of_file(file).queues
        stock.unlink()
        assert "stock" not in plan_of_file(file).queues

    def test_one_with_a_secret_is_not_kept(self, shop: Shop, file: Path, state: Path) -> None:
        text = file.read_text().replace(f"url: {shop.url}", "url: {secret: broker}")
        file.write_text(text + "secrets: {broker: {env: SHOP_BROKER}}\n")
        with pytest.raises(ConfigError):
            plan_of_file(file)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHOP_BROKER", shop.url)
            assert plan_of_file(file).broker.url == shop.url
        assert list(state.iterdir()) == []
