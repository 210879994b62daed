package journal

import (
	"encoding/binary"
	"slices"
)

// queueSets numbers the sets of queues of a span's messages: they are few, and shared. Set 0 is empty.
type queueSets struct {
	queues []uint64
	ends   []uint32          // in queues, by set
	index  map[string]uint32 // made when it is needed
	last   uint32
	key    []byte
}

func (q *queueSets) get(set uint32) []uint64 {
	if set == 0 {
		return nil
	}
	return q.queues[q.ends[set-1]:q.ends[set]]
}

// intern returns the number of a set.
func (q *queueSets) intern(queues []uint64) uint32 {
	if len(queues) == 0 {
		return 0
	}
	if slices.Equal(queues, q.get(q.last)) {
		return q.last
	}
	if q.index == nil {
		q.reindex()
	}
	q.key = appendKey(q.key[:0], queues)
	set, ok := q.index[string(q.key)]
	if !ok {
		set = q.insert(queues)
		q.index[string(q.key)] = set
	}
	q.last = set
	return set
}

func (q *queueSets) insert(queues []uint64) uint32 {
	if q.ends == nil {
		q.ends = []uint32{0}
	}
	for k, queue := range queues {
		if !slices.Contains(queues[:k], queue) {
			q.queues = append(q.queues, queue)
		}
	}
	q.ends = append(q.ends, uint32(len(q.queues)))
	return uint32(len(q.ends) - 1)
}

func (q *queueSets) reindex() {
	q.index = map[string]uint32{}
	for set := 1; set < len(q.ends); set++ {
		q.index[string(appendKey(nil, q.get(uint32(set))))] = uint32(set)
	}
}

func appendKey(dst []byte, queues []uint64) []byte {
	for _, queue := range queues {
		dst = binary.LittleEndian.AppendUint64(dst, queue)
	}
	return dst
}
