package probe

// What every system counts per network device.
var (
	netReceiveBytes    = netCounter("receive_bytes", "Bytes received.")
	netReceivePackets  = netCounter("receive_packets", "Packets received.")
	netReceiveErrs     = netCounter("receive_errs", "Errors while receiving.")
	netReceiveDrop     = netCounter("receive_drop", "Packets dropped while receiving.")
	netReceiveFIFO     = netCounter("receive_fifo", "Buffer overruns while receiving.")
	netTransmitBytes   = netCounter("transmit_bytes", "Bytes sent.")
	netTransmitPackets = netCounter("transmit_packets", "Packets sent.")
	netTransmitErrs    = netCounter("transmit_errs", "Errors while sending.")
	netTransmitDrop    = netCounter("transmit_drop", "Packets dropped while sending.")
	netTransmitFIFO    = netCounter("transmit_fifo", "Buffer overruns while sending.")
	netUp              = gauge("node_network_up", "Whether a device is up.", "device")
	netMTU             = gauge("node_network_mtu_bytes", "Largest packet of a device.", "device")
)

func netCounter(statistic, help string) *Desc {
	return counter("node_network_"+statistic+"_total", help, "device")
}
