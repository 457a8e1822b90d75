"""How many seats a number of callers needs: Erlang's loss formula."""

from __future__ import annotations


def blocking(offered: float, seats: int) -> float:
    """Share of callers that find no seat free, by Erlang's formula B in its recursive form.

    ``offered``: mean number of sessions that would be there at once (arrivals × mean length); they come
    independently of each other, whatever their lengths. A. K. Erlang, "Solution of some problems in the
    theory of probabilities of significance in automatic telephone exchanges", 1917.
    """
    share = 1.0
    for seat in range(1, seats + 1):
        share = offered * share / (seat + offered * share)
    return share


def seats_for(offered: float, refused: float) -> int:
    """The fewest seats that refuse no more than that share of the callers."""
    seats, share = 0, 1.0
    while share > refused:
        seats += 1
        share = offered * share / (seats + offered * share)
    return seats
