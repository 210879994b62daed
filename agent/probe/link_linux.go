package probe

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// link is a network device as rtnetlink(7) describes it.
type link struct {
	name, alias        string
	address, broadcast string
	operState          uint8 // RFC 2863 ifOperStatus, see operStates
	mode               uint8
	kind               uint16 // ARPHRD_*
	up                 bool   // set up by the administrator
	flags              uint32 // IFF_*
	promiscuity        uint32 // how many asked for it
	index              uint32
	under              uint32 // index of the device under it, or its own
	mtu, queue, group  uint32
	carrier            uint8
	carrierChanges     [3]uint32 // all, up, down
	stats              [linkStats]uint64
}

// Places of the counters in struct rtnl_link_stats64.
const (
	rxPackets = iota
	txPackets
	rxBytes
	txBytes
	rxErrors
	txErrors
	rxDropped
	txDropped
	multicast
	collisions
	rxLengthErrors
	rxOverErrors
	rxCRCErrors
	rxFrameErrors
	rxFIFOErrors
	rxMissedErrors
	txAbortedErrors
	txCarrierErrors
	txFIFOErrors
	txHeartbeatErrors
	txWindowErrors
	rxCompressed
	txCompressed
	rxNoHandler
	linkStats
)

// operStates are the names that sysfs has for link.operState.
var operStates = [...]string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}

func (l *link) state() string {
	if int(l.operState) < len(operStates) {
		return operStates[l.operState]
	}
	return operStates[0]
}

// readLinks lists the network devices. One question brings what sysfs keeps in
// some thirty files per device, several of which take the kernel's network lock.
func readLinks() ([]link, error) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("ask rtnetlink: %w", err)
	}
	return parseLinks(rib)
}

func parseLinks(rib []byte) ([]link, error) {
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, fmt.Errorf("parse rtnetlink: %w", err)
	}
	var links []link
	for i := range messages {
		if messages[i].Header.Type != unix.RTM_NEWLINK || len(messages[i].Data) < unix.SizeofIfInfomsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			return nil, fmt.Errorf("parse rtnetlink attribute: %w", err)
		}
		links = append(links, newLink(messages[i].Data, attrs))
	}
	return links, nil
}

// attrType leaves out the two flags of an attribute's type, NLA_F_*.
const attrType = 1<<14 - 1

// newLink reads struct ifinfomsg, {family, pad u8, type u16, index, flags, change u32},
// and the attributes behind it.
func newLink(info []byte, attrs []syscall.NetlinkRouteAttr) link {
	l := link{
		kind:  binary.NativeEndian.Uint16(info[2:]),
		index: binary.NativeEndian.Uint32(info[4:]),
		flags: binary.NativeEndian.Uint32(info[8:]),
	}
	l.under, l.up = l.index, l.flags&unix.IFF_UP != 0
	for _, a := range attrs {
		l.set(a.Attr.Type&attrType, a.Value)
	}
	return l
}

func (l *link) set(attr uint16, v []byte) {
	if len(v) == 0 {
		return
	}
	switch attr {
	case unix.IFLA_IFNAME:
		l.name = unix.ByteSliceToString(v)
	case unix.IFLA_IFALIAS:
		l.alias = unix.ByteSliceToString(v)
	case unix.IFLA_ADDRESS:
		l.address = net.HardwareAddr(v).String()
	case unix.IFLA_BROADCAST:
		l.broadcast = net.HardwareAddr(v).String()
	case unix.IFLA_OPERSTATE:
		l.operState = v[0]
	case unix.IFLA_LINKMODE:
		l.mode = v[0]
	case unix.IFLA_CARRIER:
		l.carrier = v[0]
	case unix.IFLA_STATS64:
		for i := 0; i < linkStats && len(v) >= 8*(i+1); i++ {
			l.stats[i] = binary.NativeEndian.Uint64(v[8*i:])
		}
	default:
		if p := l.number(attr); p != nil && len(v) >= 4 {
			*p = binary.NativeEndian.Uint32(v)
		}
	}
}

// number is where an attribute of four bytes goes.
func (l *link) number(attr uint16) *uint32 {
	switch attr {
	case unix.IFLA_LINK:
		return &l.under
	case unix.IFLA_MTU:
		return &l.mtu
	case unix.IFLA_TXQLEN:
		return &l.queue
	case unix.IFLA_GROUP:
		return &l.group
	case unix.IFLA_PROMISCUITY:
		return &l.promiscuity
	case unix.IFLA_CARRIER_CHANGES:
		return &l.carrierChanges[0]
	case unix.IFLA_CARRIER_UP_COUNT:
		return &l.carrierChanges[1]
	case unix.IFLA_CARRIER_DOWN_COUNT:
		return &l.carrierChanges[2]
	}
	return nil
}
