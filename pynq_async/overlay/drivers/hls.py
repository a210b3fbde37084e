"""Kernels made by Vitis HLS."""

from ..ip import DefaultIP, IpDescription


class HlsKernel(DefaultIP):
    """A kernel with the control protocol `ap_ctrl_hs` or `ap_ctrl_chain`."""

    @staticmethod
    def fits(description: IpDescription) -> bool:
        """Whether an IP has an HLS kernel's control register (UG1399, "S_AXILITE Control Register Map")."""
        return "AP_START" in (description.registers.get("CTRL", {}).get("fields") or {})
