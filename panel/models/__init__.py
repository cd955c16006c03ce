"""The tables. Import them from here; a migration sees what is imported here."""

from panel.models.mail import EmailChange, LinkPurpose, Mail, MailedLink, ResetRequest
from panel.models.money import (
    SETTLING_KINDS,
    Account,
    AccountKind,
    Proposal,
    ProposalKind,
    ProposalState,
    TopUp,
    Transfer,
    TransferKind,
)
from panel.models.office import Claim
from panel.models.order import Event, Order, OrderCount
from panel.models.reseller import ApiKey, Delivery, DeliveryState, Receiver, Webhook
from panel.models.ticket import CannedAnswer, Ticket, TicketEntry
from panel.models.tool import Catalogue, Provider, Terms, Tool
from panel.models.user import FailedTry, HalfSignIn, RecoveryCode, SignIn, User
from panel.models.work import (
    Attempt,
    AttemptKind,
    AttemptState,
    AuditLine,
    Cancellation,
    CancellationState,
    Heartbeat,
    Refill,
    Review,
)

__all__ = [
    "SETTLING_KINDS",
    "Account",
    "AccountKind",
    "ApiKey",
    "Attempt",
    "AttemptKind",
    "AttemptState",
    "AuditLine",
    "Cancellation",
    "CancellationState",
    "CannedAnswer",
    "Catalogue",
    "Claim",
    "Delivery",
    "DeliveryState",
    "Event",
    "FailedTry",
    "HalfSignIn",
    "Heartbeat",
    "EmailChange",
    "Order",
    "OrderCount",
    "Proposal",
    "ProposalKind",
    "Incident",
    "IncidentPart",
    "IncidentUpdate",
    "LinkPurpose",
    "Mail",
    "MailedLink",
    "Measurement",
    "ProposalState",
    "Provider",
    "Receiver",
    "RecoveryCode",
    "Refill",
    "Review",
    "SignIn",
    "Terms",
    "Ticket",
    "TicketEntry",
    "ResetRequest",
    "Tool",
    "TopUp",
    "Transfer",
    "TransferKind",
    "User",
    "Webhook",
]
