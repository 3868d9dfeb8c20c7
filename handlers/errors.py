"""What can go wrong in the shop, by the names that the config's retry policies use."""


class GatewayBusy(Exception):
    """The payment gateway is overloaded: worth another attempt."""


class CardDeclined(Exception):
    """The bank said no, and will say so again."""


class UnknownItem(Exception):
    """Nothing with this number is sold here."""
