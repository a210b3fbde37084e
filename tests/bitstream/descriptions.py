"""Small hardware descriptions of the form that Vivado writes, made here."""

GPIO_MODULE = """
<MODULE FULLNAME="/{path}" INSTANCE="{instance}" MODTYPE="axi_gpio" VLNV="xilinx.com:ip:axi_gpio:2.0">
  <ADDRESSBLOCKS>
    <ADDRESSBLOCK ACCESS="read-write" INTERFACE="S_AXI" NAME="Reg" RANGE="4096" USAGE="register">
      <REGISTERS>
        <REGISTER NAME="GPIO_DATA">
          <PROPERTY NAME="DESCRIPTION" VALUE="Data"/>
          <PROPERTY NAME="ADDRESS_OFFSET" VALUE="0x0"/>
          <PROPERTY NAME="SIZE" VALUE="4"/>
          <PROPERTY NAME="ACCESS" VALUE="read-write"/>
          <FIELDS>
            <FIELD NAME="CH1_DATA">
              <PROPERTY NAME="DESCRIPTION" VALUE="Bits"/>
              <PROPERTY NAME="BIT_OFFSET" VALUE="0"/>
              <PROPERTY NAME="BIT_WIDTH" VALUE="4"/>
              <PROPERTY NAME="ACCESS" VALUE="read-only"/>
            </FIELD>
          </FIELDS>
        </REGISTER>
      </REGISTERS>
    </ADDRESSBLOCK>
  </ADDRESSBLOCKS>
  <PARAMETERS><PARAMETER NAME="C_GPIO_WIDTH" VALUE="4"/></PARAMETERS>
  <PORTS><PORT DIR="I" NAME="s_axi_wdata" SIGNAME="wdata"/></PORTS>
  <BUSINTERFACES>
    <BUSINTERFACE NAME="S_AXI" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0">
      <PORTMAPS><PORTMAP LOGICAL="WDATA" PHYSICAL="s_axi_wdata"/></PORTMAPS>
    </BUSINTERFACE>
  </BUSINTERFACES>
</MODULE>"""

BRAM_MODULE = """
<MODULE FULLNAME="/{path}" INSTANCE="{instance}" MODTYPE="axi_bram_ctrl" VLNV="xilinx.com:ip:axi_bram_ctrl:4.1">
  <PARAMETERS><PARAMETER NAME="DATA_WIDTH" VALUE="32"/></PARAMETERS>
  <PORTS/>
  <BUSINTERFACES>
    <BUSINTERFACE NAME="BRAM_PORTA" TYPE="MASTER" VLNV="xilinx.com:interface:bram:1.0"/>
    <BUSINTERFACE NAME="S_AXI" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>
  </BUSINTERFACES>
</MODULE>"""

MEMRANGE = (
    '<MEMRANGE ADDRESSBLOCK="Reg" BASEVALUE="{base:#010x}" HIGHVALUE="{high:#010x}" INSTANCE="{instance}" '
    'MASTERBUSINTERFACE="{master}" MEMTYPE="{kind}" SLAVEBUSINTERFACE="{slave}"/>'
)

SYSTEM = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<EDKSYSTEM EDWVERSION="1.2" VIVADOVERSION="2024.1">
  <SYSTEMINFO ARCH="zynq" DEVICE="7z020" NAME="small" PACKAGE="clg400" SPEEDGRADE="-1"/>
  <EXTERNALPORTS/>
  <EXTERNALINTERFACES>{external}</EXTERNALINTERFACES>
  <MODULES>{modules}</MODULES>
</EDKSYSTEM>
"""

ZYNQ_MODULE = """
<MODULE FULLNAME="/ps" INSTANCE="ps" MODTYPE="processing_system7" VLNV="xilinx.com:ip:processing_system7:5.5">
  <PARAMETERS>
    {parameters}
  </PARAMETERS>
  <PORTS><PORT DIR="O" NAME="M_AXI_GP0_WDATA" SIGNAME="wdata"/></PORTS>
  <BUSINTERFACES>
    <BUSINTERFACE NAME="M_AXI_GP0" TYPE="MASTER" VLNV="xilinx.com:interface:aximm:1.0">
      <PORTMAPS><PORTMAP LOGICAL="WDATA" PHYSICAL="M_AXI_GP0_WDATA"/></PORTMAPS>
    </BUSINTERFACE>
  </BUSINTERFACES>
  <MEMORYMAP>{ranges}</MEMORYMAP>
</MODULE>"""


def memrange(
    instance: str,
    base: int,
    size: int = 0x1000,
    kind: str = "REGISTER",
    slave: str = "S_AXI",
    master: str = "M_AXI_GP0",
) -> str:
    return MEMRANGE.format(instance=instance, base=base, high=base + size - 1, kind=kind, slave=slave, master=master)


def zynq_parameters() -> dict[str, str]:
    parameters = {"PCW_CRYSTAL_PERIPHERAL_FREQMHZ": "50"}

    for clock in range(4):
        parameters |= {
            f"PCW_FPGA_FCLK{clock}_ENABLE": str(int(clock < 2)),
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": "5",
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": "2",
            f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FPGA{clock}_PERIPHERAL_FREQMHZ": str(100 + clock),
        }

    return parameters


def zynq_description(parameters: dict[str, str] | None = None) -> bytes:
    """A Zynq-7000 with one GPIO in a hierarchy."""
    given = zynq_parameters() if parameters is None else parameters
    written = "".join(f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in given.items())
    processing_system = ZYNQ_MODULE.format(parameters=written, ranges=memrange("io_leds", 0x4120_0000))
    gpio = GPIO_MODULE.format(path="io/leds", instance="io_leds")
    return SYSTEM.format(external="", modules=processing_system + gpio).encode()


def partial_description() -> bytes:
    """A reconfigurable part: two GPIO and a memory behind an external port, no processing system."""
    ranges = (
        memrange("leds", 0x8000_0000, master="S_AXI_0")
        + memrange("video_sync_gpio", 0x8001_0000, master="S_AXI_0")
        + memrange("video_lines", 0x8200_0000, 0x2000, kind="MEMORY", master="S_AXI_0")
    )
    external = f'<BUSINTERFACE NAME="S_AXI_0" TYPE="SLAVE"><MEMORYMAP>{ranges}</MEMORYMAP></BUSINTERFACE>'
    modules = (
        GPIO_MODULE.format(path="leds", instance="leds")
        + GPIO_MODULE.format(path="video/sync/gpio", instance="video_sync_gpio")
        + BRAM_MODULE.format(path="video/lines", instance="video_lines")
    )
    return SYSTEM.format(external=external, modules=modules).encode()
