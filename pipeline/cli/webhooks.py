"""`pipeline webhooks`: what others send us; and one sent by hand, as they would."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from pipeline.cli.app import Commands
from pipeline.cli.names import webhook_names
from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, at_work, takes_config, takes_file
from pipeline.errors import BrokerUnavailable, NotRunning, PipelineError

if TYPE_CHECKING:
    from rich.text import Text

    from pipeline.plan import Plan
    from pipeline.webhook import WebhookPlan

SECONDS = 15.0
_WORDS = {
    401: "it was not believed; is another secret set where it runs?",
    404: "there is no webhook at its path; does another file run?",
    503: "the broker is away, or the secret is not set there",
}
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "*": "127.0.0.1"}  # noqa: S104 - what is listened on


class UnknownWebhook(PipelineError):
    """The file declares no webhook of this name."""

    code = "unknown_webhook"


class BadSecret(PipelineError):
    """The secret of a webhook is not set here, or cannot be used."""

    code = "bad_secret"


class NotTaken(PipelineError):
    """A webhook that was sent by hand was not taken."""

    code = "not_taken"


@click.group(cls=Commands, short_help="What others send: list it, try it.")
def webhooks() -> None:
    """The webhooks of the project."""


@webhooks.command("list")
@takes_file
@as_json
def list_(file: str | None, config_: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Every webhook of the file: where it comes in, who may send it, which job it becomes."""
    plan, _ = at_work(file, config_)
    ingress = _ingress(plan)
    if as_json:
        print_json([_described(name, hook, plan, ingress) for name, hook in plan.webhooks.items()])
        return
    out = console()
    for text in lines(plan, ingress):
        out.print(text)
    if not plan.webhooks:
        click.echo("the file has no webhooks")


@webhooks.command()
@click.argument("name", shell_complete=webhook_names)
@click.option("--body", type=click.File("rb"), help="A file with the body; - is the input.")
@click.option("--id", "id_", help="The event's id, where a header holds it.  [default: one of its own]")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One more header.")
@click.option("--query", default="", metavar="TEXT", help="What stands behind the ? of the address.")
@click.option("--to", "address", metavar="URL", help="Where, if not to the web process that runs here.")
@as_json
@takes_config
def send(
    name: str,
    body: IO[bytes] | None,
    id_: str | None,
    headers: tuple[str, ...],
    query: str,
    address: str | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Send the webhook NAME as its sender would, signed with the secret of the file, and print what is answered."""
    from pipeline.clock import now_ms
    from pipeline.web.sign import signed_headers

    plan, _ = at_work(None, config_)
    hook = one_of(plan, name)
    to = address or _ingress(plan)
    if to is None:
        raise NotRunning(f"no web process of {plan.name} serves", "start `pipeline run`, or give --to URL")
    id = id_ or f"test-{now_ms()}"
    content = body.read() if body is not None else _sample(hook, id)
    key = _key(hook, plan)
    sent = {"Content-Type": "application/json"}
    sent |= signed_headers(hook.verify, key, content, now_ms() // 1000, id) | dict(map(_header, headers))
    path = hook.path + (f"?{query}" if query else "")
    status, answer = _exchange(plan, to, hook.method, path, content, sent)
    _print(name, status, answer, as_json=as_json)


def _print(name: str, status: int, answer: bytes, *, as_json: bool) -> None:
    import msgspec

    from pipeline.status.text import clean

    try:
        value = msgspec.json.decode(answer) if answer else None
    except msgspec.DecodeError:
        value = answer.decode(errors="replace")
    if not 200 <= status < 300:
        error = value.get("error", {}) if isinstance(value, dict) else {}
        help = error.get("help") or "the log of `pipeline run` may say more"
        raise NotTaken(
            f"{name} was answered {status}: {error.get('message') or _WORDS.get(status, '')}", help
        )
    if as_json:
        print_json({"webhook": name, "status": status, "answer": value})
    else:
        click.echo(f"{status} {clean(answer.decode(errors='replace'))}".rstrip())


def _exchange(
    plan: Plan, to: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    """The status and the body of the answer. Raises NotRunning."""
    scheme, _, rest = to.rpartition("://")
    host, _, prefix = rest.partition("/")
    try:
        with closing(_connection(plan, scheme, host)) as connection:
            connection.request(method, f"/{prefix}".rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        raise NotRunning(f"{to} does not answer: {error}", "is `pipeline run` there?") from None


def _connection(plan: Plan, scheme: str, host: str) -> HTTPConnection:
    tls = plan.http.tls if plan.http is not None else None
    if scheme != "https":
        return HTTPConnection(host, timeout=SECONDS)
    context = ssl.create_default_context()
    if tls is not None:
        # It is our own, and may be for a name that leads here from outside only.
        context.load_verify_locations(Path(plan.root, tls.certificate))
        context.check_hostname = False
    return HTTPSConnection(host, timeout=SECONDS, context=context)


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise click.BadParameter(f"{text!r} is no header: write 'X-Event: push'", param_hint="--header")
    return name.strip(), value.strip()


def _sample(hook: WebhookPlan, id: str) -> bytes:
    """A body that has an id where its sender puts one."""
    from pipeline.job import encode

    return encode({"event_id": id} if hook.verify.scheme == "slack" else {"id": id})


def _key(hook: WebhookPlan, plan: Plan) -> bytes:
    """The bytes that sign: those of the first secret. Raises BadSecret."""
    from pipeline.web.hook import secret_of
    from pipeline.webhook import key_of

    if not hook.verify.secrets:
        return b""
    source = hook.verify.secrets[0]
    value = secret_of(source, plan.root, os.environ)
    place = f"the variable {source.env}" if source.env else f"the file {source.file}"
    if not value:
        raise BadSecret(f"the secret {source.name} is not set here", f"set {place}")
    try:
        return key_of(hook.verify, value)
    except ValueError as error:
        raise BadSecret(f"the secret {source.name} cannot be used: {error}", f"see {place}") from None


def one_of(plan: Plan, name: str) -> WebhookPlan:
    """The webhook of that name. Raises UnknownWebhook."""
    from pipeline.config.suggest import did_you_mean

    if name not in plan.webhooks:
        raise UnknownWebhook(
            f"there is no webhook {name!r} in {plan.name}", did_you_mean(name, plan.webhooks)
        )
    return plan.webhooks[name]


def _ingress(plan: Plan) -> str | None:
    """Where the webhooks of this host come in, or None when nothing serves them."""
    from pipeline.broker import parse
    from pipeline.state import broker_url
    from pipeline.status.compare import live_supervisors
    from pipeline.store.connect import connect_blocking
    from pipeline.supervisor.host import host_name

    try:
        with closing(connect_blocking(parse(broker_url(plan)), timeout=SECONDS)) as connection:
            found = live_supervisors(connection, plan.name)
    except BrokerUnavailable:
        return None
    webs = [one.web for one in found if one.host == host_name() and one.web is not None]
    address = next((web.ingress for web in webs if web.state == "serving" and web.ingress), None)
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    scheme = "https" if plan.http is not None and plan.http.tls is not None else "http"
    return f"{scheme}://{EVERYWHERE.get(host, host)}:{port}"


# --- what is shown -----------------------------------------------------------------------------------------


def _described(name: str, hook: WebhookPlan, plan: Plan, ingress: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "method": hook.method,
        "path": hook.path,
        "url": f"{ingress}{hook.path}" if ingress else None,
        "verify": hook.verify.scheme,
        "secrets": [{"name": one.name, "ok": trouble(hook, plan) is None} for one in hook.verify.secrets],
        "queue": hook.queue,
        "job": hook.job,
        "id": hook.event_id,
        "replay": hook.replay,
        "max_body": hook.max_body,
        "keep_ms": hook.keep,
    }


def trouble(hook: WebhookPlan, plan: Plan) -> str | None:
    """Why nothing could be signed here, or None."""
    try:
        _key(hook, plan)
    except BadSecret as error:
        return error.message
    return None


def lines(plan: Plan, ingress: str | None) -> Iterator[Text]:
    """What people see: where each comes in, who may send it, and what it becomes."""
    from pipeline.status.troubles import line

    width = max(map(len, plan.webhooks), default=0)
    for name, hook in plan.webhooks.items():
        indent = " " * (width + 2)
        yield line((f"{name:<{width}}", "bold"), f"  {hook.method} {ingress or ''}{hook.path}")
        known = hook.event_id or ("what was signed" if hook.replay else "nothing: each is another event")
        beside = ", and what was signed" if hook.replay and hook.event_id else ""
        yield line(indent, f"{hook.queue} {hook.job}, from {hook.verify.scheme}, known by {known}{beside}")
        if (problem := trouble(hook, plan)) is not None:
            yield line(indent, (problem, "yellow"))
    if plan.webhooks and ingress is None:
        yield line(("nothing serves them here: start pipeline run", "yellow"))
