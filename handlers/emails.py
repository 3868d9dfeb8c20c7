"""Mail to customers, over SMTP. SHOP_MAIL says where the mail server is."""

import os
import smtplib
from email.message import EmailMessage
from typing import TypedDict

from pipeline import Discard, Job

HOST, _, PORT = os.environ.get("SHOP_MAIL", "127.0.0.1:8025").rpartition(":")
TEXTS = {
    "order-confirmed": ("Your order {order}", "Thank you! Order {order} is on its way to you."),
    "password-reset": ("A new password", "You asked for a new password. Order {order} waits in your cart."),
    "newsletter": ("This week", "Mugs, shirts and stickers. Your last order was {order}."),
}
NO_SUCH_MAILBOX = 550


class Mail(TypedDict):
    to: str
    order: str


def send(job: Job[Mail]) -> None:
    """Send the mail that the job's name stands for. A plain function: it runs in a thread."""
    subject, text = TEXTS[job.name]
    message = EmailMessage()
    message["From"] = "shop@example.com"
    message["To"] = job.data["to"]
    message["Subject"] = subject.format(order=job.data["order"])
    message["Message-ID"] = f"<{job.queue}-{job.id}@example.com>"
    message.set_content(text.format(order=job.data["order"]))
    deliver(message)


def deliver(message: EmailMessage) -> None:
    """Hand a message to the mail server. A temporary refusal is raised, for another attempt."""
    with smtplib.SMTP(HOST, int(PORT), timeout=10) as server:
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            [(recipient, (code, text))] = refused.recipients.items()
            if code == NO_SUCH_MAILBOX:
                raise Discard(f"{recipient}: {text.decode()}") from refused
            raise
