package broker

import (
	"sort"

	"thump/broker/vhost"
)

// unacked holds the deliveries of a channel that the client has not settled, in
// the order of their tags. What is settled out of turn leaves a hole, which goes
// once everything before it has gone or holes outnumber the rest.
type unacked struct {
	list  []pending // list[head:] is in use
	head  int
	holes int
}

// pending is a delivery that awaits its ack.
type pending struct {
	tag      uint64
	delivery vhost.Delivery
	settled  bool
	since    uint32 // Broker.clock at the delivery
}

// compactFrom is the length from which holes and the used-up front are removed.
const compactFrom = 64

// count returns how many deliveries are unsettled.
func (u *unacked) count() int { return len(u.list) - u.head - u.holes }

// add appends a delivery; tags only grow.
func (u *unacked) add(tag uint64, d vhost.Delivery, now uint32) {
	if len(u.list) == cap(u.list) && len(u.list) >= compactFrom && u.count() <= len(u.list)/2 {
		u.compact()
	}
	u.list = append(u.list, pending{tag: tag, delivery: d, since: now})
}

func (u *unacked) compact() {
	kept := u.list[:0]
	for _, p := range u.list[u.head:] {
		if !p.settled {
			kept = append(kept, p)
		}
	}
	clear(u.list[len(kept):])
	u.list, u.head, u.holes = kept, 0, 0
}

// take removes the delivery with the tag, or with multiple all up to it, and
// appends them to ds. Tag 0 with multiple means all. It reports false, and takes
// nothing, when there is no such delivery.
func (u *unacked) take(ds []vhost.Delivery, tag uint64, multiple bool) ([]vhost.Delivery, bool) {
	if multiple && tag == 0 {
		return u.takeTo(ds, len(u.list)), true
	}
	i := u.find(tag)
	if i == len(u.list) || u.list[i].tag != tag || u.list[i].settled {
		return ds, false
	}
	if multiple {
		return u.takeTo(ds, i+1), true
	}
	ds = append(ds, u.list[i].delivery)
	u.list[i] = pending{tag: tag, settled: true}
	u.holes++
	u.trim()
	return ds, true
}

// find returns the place of the first delivery whose tag is not smaller.
func (u *unacked) find(tag uint64) int {
	if u.head < len(u.list) && u.list[u.head].tag == tag { // acked in order, as nearly always
		return u.head
	}
	used := u.list[u.head:]
	return u.head + sort.Search(len(used), func(i int) bool { return used[i].tag >= tag })
}

func (u *unacked) takeTo(ds []vhost.Delivery, end int) []vhost.Delivery {
	for i := u.head; i < end; i++ {
		if u.list[i].settled {
			continue
		}
		ds = append(ds, u.list[i].delivery)
		u.list[i] = pending{settled: true}
		u.holes++
	}
	u.trim()
	return ds
}

// trim gives up the front that is settled.
func (u *unacked) trim() {
	for u.head < len(u.list) && u.list[u.head].settled {
		u.head++
		u.holes--
	}
	if u.head == len(u.list) {
		u.list, u.head = u.list[:0], 0
	}
}
