"""The one pre-specified pair of ligand and receptor, and the roles of rows."""

from collections.abc import Mapping

from lammscope.core.names import LAMM

PRIMARY, SECONDARY = "primary", "secondary"  # role of a row


def primary_of(primary: Mapping[str, str], contrast: str, *, level: str) -> dict[str, str] | None:
    """Return the pre-specified pair, sender and receiver; None if it is of another contrast.

    Parameters
    ----------
    primary
        `contrast`, `pair`, `sender` and `receiver`. The sender `LAMM` stands for the group of LAMM
        cells at the configured level.
    level
        That level.
    """
    if primary["contrast"] != contrast or not primary["pair"]:
        return None
    sender = f"LAMM_{level}" if primary["sender"] == LAMM else primary["sender"]
    return {"pair": primary["pair"], "sender": sender, "receiver": primary["receiver"]}
