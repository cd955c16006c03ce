"""SQLAlchemy models. Import them from here: migrations only see what this package imports.

May import `db` and below, never services.
"""

from panel.db import NOTIFIES_HUB, table_of
from panel.models.alert import Alert
from panel.models.announcement import Announcement
from panel.models.api_and_webhooks import (
    ApiKey,
    ApiTestCustomer,
    DeliveryState,
    Webhook,
    WebhookDelivery,
    WebhookEndpoint,
)
from panel.models.assignment import OrderAssignment
from panel.models.catalogue_import import CatalogueImport, ImportedTool, ImportState
from panel.models.daily_sums import LedgerDay, ProfitChange, ProfitDay
from panel.models.favorite import Favorite
from panel.models.invitation import Invitation
from panel.models.ledger import (
    IS_ADJUSTMENT,
    IS_OPEN_PROPOSAL,
    IS_SETTLING,
    SETTLING_KINDS,
    Account,
    AccountDay,
    AccountKind,
    AuditProgress,
    ChainCheckpoint,
    CheckpointKind,
    Proposal,
    ProposalKind,
    ProposalState,
    Transfer,
    TransferKind,
    UnapprovedTransfer,
)
from panel.models.mail import EmailChange, EmailLink, LinkPurpose, Mail, MailKind, ResetRequest
from panel.models.maintenance import Maintenance
from panel.models.order import (
    IS_NOT_COMPLETED,
    EventKind,
    EventSource,
    Order,
    OrderCount,
    OrderEvent,
    OrderField,
    OrderRun,
)
from panel.models.order_cost import OrderCost, RunCost
from panel.models.payment import DepositRequest, PaymentEvent, PaymentEventState, PaymentTerms
from panel.models.platform import AuditRun, ComponentDay, Incident, IncidentPart, IncidentUpdate, Measurement
from panel.models.price_group import GroupMember, GroupPrice, KnownPriceList, KnownPrices, PriceGroup
from panel.models.provider_work import (
    IS_OPEN_ATTEMPT,
    IS_OPEN_CANCELLATION,
    IS_OPEN_REFILL,
    Attempt,
    AttemptKind,
    AttemptState,
    AuditLogEntry,
    CallKind,
    CallSlot,
    Cancellation,
    CancellationState,
    Heartbeat,
    Refill,
    Review,
    TimeRules,
)
from panel.models.public_link import PublicLink
from panel.models.stored_setting import StoredSetting
from panel.models.telegram import TelegramBot, TelegramLink, TelegramMessage
from panel.models.ticket import IS_CLOSED, IS_NOT_CLOSED, CannedAnswer, Ticket, TicketEntry, TicketImage
from panel.models.tool import (
    RETIREMENT,
    Catalogue,
    CategoryMargin,
    CategoryPlace,
    ListedTool,
    MailedTerms,
    Provider,
    ScheduledTerms,
    Terms,
    TermsRound,
    Tool,
    ToolRoute,
)
from panel.models.user import LoginSession, PendingSession, RecoveryCode, ThrottleHit, User
from panel.models.voucher import Voucher

# Customers' pages depend on users, sessions and the catalogue, the office's pages also on what waits in its queues, and
# visitors' pages on measurements and public links.
_HEARD = (User, LoginSession, Catalogue, DepositRequest, Proposal, Provider, Review, Ticket, Measurement, PublicLink)
for _model in _HEARD:
    table_of(_model).info[NOTIFIES_HUB] = True

__all__ = [
    "IS_ADJUSTMENT",
    "IS_CLOSED",
    "IS_NOT_CLOSED",
    "IS_NOT_COMPLETED",
    "IS_OPEN_ATTEMPT",
    "IS_OPEN_CANCELLATION",
    "IS_OPEN_PROPOSAL",
    "IS_OPEN_REFILL",
    "IS_SETTLING",
    "RETIREMENT",
    "SETTLING_KINDS",
    "Account",
    "AccountDay",
    "AccountKind",
    "Alert",
    "Announcement",
    "ApiKey",
    "ApiTestCustomer",
    "Attempt",
    "AttemptKind",
    "AttemptState",
    "AuditLogEntry",
    "AuditProgress",
    "AuditRun",
    "CallKind",
    "CallSlot",
    "Cancellation",
    "CancellationState",
    "CannedAnswer",
    "Catalogue",
    "CatalogueImport",
    "CategoryMargin",
    "CategoryPlace",
    "ChainCheckpoint",
    "CheckpointKind",
    "ComponentDay",
    "DeliveryState",
    "DepositRequest",
    "EmailChange",
    "EmailLink",
    "EventKind",
    "EventSource",
    "Favorite",
    "GroupMember",
    "GroupPrice",
    "Heartbeat",
    "ImportState",
    "ImportedTool",
    "Incident",
    "IncidentPart",
    "IncidentUpdate",
    "Invitation",
    "KnownPriceList",
    "KnownPrices",
    "LedgerDay",
    "LinkPurpose",
    "ListedTool",
    "LoginSession",
    "Mail",
    "MailKind",
    "MailedTerms",
    "Maintenance",
    "Measurement",
    "Order",
    "OrderAssignment",
    "OrderCost",
    "OrderCount",
    "OrderEvent",
    "OrderField",
    "OrderRun",
    "PaymentEvent",
    "PaymentEventState",
    "PaymentTerms",
    "PendingSession",
    "PriceGroup",
    "ProfitChange",
    "ProfitDay",
    "Proposal",
    "ProposalKind",
    "ProposalState",
    "Provider",
    "PublicLink",
    "RecoveryCode",
    "Refill",
    "ResetRequest",
    "Review",
    "RunCost",
    "ScheduledTerms",
    "StoredSetting",
    "TelegramBot",
    "TelegramLink",
    "TelegramMessage",
    "Terms",
    "TermsRound",
    "ThrottleHit",
    "Ticket",
    "TicketEntry",
    "TicketImage",
    "TimeRules",
    "Tool",
    "ToolRoute",
    "Transfer",
    "TransferKind",
    "UnapprovedTransfer",
    "User",
    "Voucher",
    "Webhook",
    "WebhookDelivery",
    "WebhookEndpoint",
]
