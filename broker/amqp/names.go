package amqp

import "hash/maphash"

// names remembers recently seen short strings, so that the exchange name and
// routing key of a stream of publishes are not allocated again for each of
// them.
type names struct {
	seed  maphash.Seed
	slots [64]string // by hash; a newcomer takes the slot
}

func newNames() names { return names{seed: maphash.MakeSeed()} }

// intern returns b as a string. A nil names remembers nothing.
func (n *names) intern(b []byte) string {
	if n == nil || len(b) == 0 {
		return string(b)
	}
	slot := &n.slots[maphash.Bytes(n.seed, b)%uint64(len(n.slots))]
	if *slot != string(b) { // compared without an allocation
		*slot = string(b)
	}
	return *slot
}
