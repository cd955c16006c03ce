"""Hypothesis strategies for stateful tests: provider words and counts, good and bad, and call outcomes."""

from hypothesis import strategies as st

from panel.providers.base import NotSent, Refused, Unclear

KNOWN = ("Pending", "Processing", "In progress", "Completed", "Partial", "Canceled")
WORDS = st.sampled_from([*KNOWN, *KNOWN, "in progress", "CANCELLED", " partial ", "Refill", "Done", "", None, 7, True])
FIRST_WORDS = st.sampled_from(["Completed", "In progress", "Pending"])
# A share of the quantity in percent, or a value that isn't a count.
REMAINS = st.one_of(
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from([None, "", "-1", "1e3", " 5", "٣", "1.5", "10", 10**30, 2**63, -1, True, 3.0, ["5"]]),
)
START_COUNTS = st.sampled_from([None, 0, "12", "abc", -4])
OUTCOMES = st.sampled_from(
    [
        *["accepted", "accepted", "accepted", "accepted", "same id"],
        Refused("The link is not public.", is_final=True),
        Refused("Not enough funds.", is_final=False),
        Refused("Not enough funds.", is_final=False, stops_provider=True),
        NotSent("Connection refused."),
        Unclear("Timed out."),
    ]
)
REFILL_WORDS = st.sampled_from(["Pending", "In progress", "Completed", "Rejected", "Canceled", "Done", None, 3])
SECONDS = st.one_of(st.integers(0, 120), st.integers(0, 40 * 24 * 3600))
PICK = st.integers(0, 10**6)
