"""Money: charges are captured, given back, and compared with the gateway's books."""

from typing import Any

from handlers.errors import CardDeclined, GatewayBusy
from handlers.gateway import Answer, call
from pipeline import Job, RetryLater


async def capture(job: Job[dict[str, Any]]) -> dict[str, Any]:
    """Take the money for an order. The gateway takes it once for each charge id, however often it is asked."""
    answer = await call("POST", "/charges", job.data)
    check(answer)
    return {"receipt": answer.body["receipt"]}


async def refund(job: Job[dict[str, Any]]) -> dict[str, Any]:
    """Give the money of a charge back."""
    answer = await call("POST", "/refunds", job.data)
    check(answer)
    return {"refunded": answer.body["amount"]}


async def reconcile(job: Job[dict[str, Any]]) -> dict[str, Any]:
    """Go through the gateway's books, page by page."""
    pages, total = 1, 0
    for page in range(1000):
        answer = await call("GET", f"/charges?page={page}")
        check(answer)
        pages = answer.body["pages"]
        total += sum(charge["amount"] for charge in answer.body["charges"])
        await job.progress({"page": page + 1, "of": pages})
        if page + 1 >= pages:
            break
    await job.log(f"{pages} pages, {total / 100:.2f} EUR in all")
    return {"total": total}


def check(answer: Answer) -> None:
    """Say what a refusal means for the job: again, later, or never."""
    match answer.status:
        case 402:
            raise CardDeclined(answer.body["error"])
        case 429:
            raise RetryLater(f"{answer.retry_after}s", "the gateway asked us to slow down")
        case status if status >= 500:
            raise GatewayBusy(answer.body["error"])
        case status if status >= 400:
            raise ValueError(answer.body["error"])
