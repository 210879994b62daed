package spool

import (
	"slices"

	"thump/internal/bus"
)

// memoryBatches bounds what is kept of the batches that the disk did not take.
const memoryBatches = 256

// memory keeps the newest batches that the disk did not take, oldest first. The
// spool's mutex guards it.
type memory struct {
	batches []kept
	last    int64 // number of the newest
}

type kept struct {
	number int64
	m      *bus.Message
	taken  bool
}

// add keeps a batch, taken; it returns how many it dropped for that.
func (y *memory) add(m *bus.Message) (Ref, int) {
	dropped := 0
	if len(y.batches) == memoryBatches {
		if !y.batches[0].taken { // if taken it counts when it is released
			dropped = 1
		}
		y.batches = slices.Delete(y.batches, 0, 1)
	}
	y.last++
	y.batches = append(y.batches, kept{number: y.last, m: m, taken: true})
	return Ref{offset: y.last}, dropped
}

func (y *memory) find(r Ref) int {
	return slices.IndexFunc(y.batches, func(k kept) bool { return k.number == r.offset })
}

func (y *memory) next() (Ref, *bus.Message, bool) {
	for i := range y.batches {
		if k := &y.batches[i]; !k.taken {
			k.taken = true
			return Ref{offset: k.number}, k.m, true
		}
	}
	return Ref{}, nil, false
}

// release returns how many batches are lost by it.
func (y *memory) release(r Ref) (dropped int) {
	i := y.find(r)
	if i < 0 {
		return 1
	}
	y.batches[i].taken = false
	return 0
}

func (y *memory) done(r Ref) {
	if i := y.find(r); i >= 0 {
		y.batches = slices.Delete(y.batches, i, i+1)
	}
}

func (y *memory) waiting() (n int) {
	for i := range y.batches {
		if !y.batches[i].taken {
			n++
		}
	}
	return n
}
