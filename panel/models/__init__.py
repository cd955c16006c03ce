"""Tables, as SQLAlchemy models. Import them from here: a migration sees what is imported here.

May import `db` and below, never services.
"""

from panel.models.api_and_webhooks import ApiKey, Delivery, DeliveryState, Receiver, Webhook
from panel.models.assignment import Claim
from panel.models.favorite import Favorite
from panel.models.ledger import (
    SETTLING_KINDS,
    Account,
    AccountKind,
    Proposal,
    ProposalKind,
    ProposalState,
    TopUp,
    Transfer,
    TransferKind,
    UnapprovedTransfer,
)
from panel.models.mail import EmailChange, LinkPurpose, Mail, MailedLink, ResetRequest
from panel.models.order import Event, Order, OrderCount
from panel.models.platform import AuditRun, ComponentDay, Incident, IncidentPart, IncidentUpdate, Measurement
from panel.models.provider_work import (
    IS_OPEN_ATTEMPT,
    IS_OPEN_REFILL,
    Attempt,
    AttemptKind,
    AttemptState,
    AuditLine,
    Cancellation,
    CancellationState,
    Heartbeat,
    Refill,
    Review,
    TimeRules,
)
from panel.models.ticket import CannedAnswer, Ticket, TicketEntry
from panel.models.tool import Catalogue, Provider, Terms, Tool
from panel.models.user import FailedTry, HalfSignIn, RecoveryCode, SignIn, User

__all__ = [
    "IS_OPEN_ATTEMPT",
    "IS_OPEN_REFILL",
    "SETTLING_KINDS",
    "Account",
    "AccountKind",
    "ApiKey",
    "Attempt",
    "AttemptKind",
    "AttemptState",
    "AuditLine",
    "AuditRun",
    "Cancellation",
    "CancellationState",
    "CannedAnswer",
    "Catalogue",
    "Claim",
    "ComponentDay",
    "Delivery",
    "DeliveryState",
    "EmailChange",
    "Event",
    "FailedTry",
    "Favorite",
    "HalfSignIn",
    "Heartbeat",
    "Incident",
    "IncidentPart",
    "IncidentUpdate",
    "LinkPurpose",
    "Mail",
    "MailedLink",
    "Measurement",
    "Order",
    "OrderCount",
    "Proposal",
    "ProposalKind",
    "ProposalState",
    "Provider",
    "Receiver",
    "RecoveryCode",
    "Refill",
    "ResetRequest",
    "Review",
    "SignIn",
    "Terms",
    "Ticket",
    "TicketEntry",
    "TimeRules",
    "Tool",
    "TopUp",
    "Transfer",
    "TransferKind",
    "UnapprovedTransfer",
    "User",
    "Webhook",
]
