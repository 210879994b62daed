package vhost

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

const (
	hamtBits  = 6  // of the hash, per level
	hashWidth = 64 // bits of a hash; below them colliding keys stand in a list
)

// hashSeed differs from process to process, so that no client can choose names
// that collide.
var hashSeed = maphash.MakeSeed()

// hamt is a persistent hash map from strings: with and without return a changed
// copy that shares all nodes but one path with the original. A reader keeps the
// version that it loaded and needs no lock. The zero value is empty.
type hamt[V any] struct {
	root *hamtNode[V]
	size int
}

// hamtNode has a slot for each bit set in used, in the order of the bits.
type hamtNode[V any] struct {
	used  uint64
	slots []hamtSlot[V]
}

// hamtSlot is a key with its value, or a child.
type hamtSlot[V any] struct {
	key   string
	value V
	child *hamtNode[V]
}

func (m hamt[V]) get(key string) (value V, ok bool) {
	h := maphash.String(hashSeed, key)
	n := m.root
	for shift := uint(0); n != nil; shift += hamtBits {
		i, used := n.slot(h, shift, key)
		if !used {
			break
		}
		s := &n.slots[i]
		if s.child == nil {
			if s.key == key {
				return s.value, true
			}
			break
		}
		n = s.child
	}
	return value, false
}

func (m hamt[V]) with(key string, value V) hamt[V] {
	root := m.root
	if root == nil {
		root = &hamtNode[V]{}
	}
	root, added := root.with(maphash.String(hashSeed, key), 0, hamtSlot[V]{key: key, value: value})
	if added {
		m.size++
	}
	return hamt[V]{root: root, size: m.size}
}

func (m hamt[V]) without(key string) hamt[V] {
	if m.root == nil {
		return m
	}
	root, removed := m.root.without(maphash.String(hashSeed, key), 0, key)
	if !removed {
		return m
	}
	return hamt[V]{root: root, size: m.size - 1}
}

// all visits every key, in no order.
func (m hamt[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if m.root != nil {
			m.root.visit(yield)
		}
	}
}

// slot returns where a key belongs at this level and whether the slot exists.
func (n *hamtNode[V]) slot(h uint64, shift uint, key string) (i int, used bool) {
	if shift >= hashWidth {
		i = slices.IndexFunc(n.slots, func(s hamtSlot[V]) bool { return s.key == key })
		return max(i, 0), i >= 0
	}
	bit := uint64(1) << (h >> shift & (1<<hamtBits - 1))
	return bits.OnesCount64(n.used & (bit - 1)), n.used&bit != 0
}

// toggled returns used with the key's bit flipped.
func (n *hamtNode[V]) toggled(h uint64, shift uint) uint64 {
	if shift >= hashWidth {
		return 0
	}
	return n.used ^ 1<<(h>>shift&(1<<hamtBits-1))
}

func (n *hamtNode[V]) with(h uint64, shift uint, s hamtSlot[V]) (changed *hamtNode[V], added bool) {
	i, used := n.slot(h, shift, s.key)
	if !used {
		slots := slices.Insert(slices.Clip(n.slots), i, s)
		return &hamtNode[V]{used: n.toggled(h, shift), slots: slots}, true
	}
	switch old := n.slots[i]; {
	case old.child != nil:
		s.child, added = old.child.with(h, shift+hamtBits, s)
		s = hamtSlot[V]{child: s.child}
	case old.key != s.key:
		child, _ := (&hamtNode[V]{}).with(maphash.String(hashSeed, old.key), shift+hamtBits, old)
		child, added = child.with(h, shift+hamtBits, s)
		s = hamtSlot[V]{child: child}
	}
	return n.replaced(i, s), added
}

// without returns nil instead of an empty node.
func (n *hamtNode[V]) without(h uint64, shift uint, key string) (changed *hamtNode[V], removed bool) {
	i, used := n.slot(h, shift, key)
	if !used {
		return n, false
	}
	old := n.slots[i]
	if old.child != nil {
		child, removed := old.child.without(h, shift+hamtBits, key)
		switch {
		case !removed:
			return n, false
		case child != nil && len(child.slots) == 1 && child.slots[0].child == nil:
			return n.replaced(i, child.slots[0]), true
		case child != nil:
			return n.replaced(i, hamtSlot[V]{child: child}), true
		}
	} else if old.key != key {
		return n, false
	}
	if len(n.slots) == 1 {
		return nil, true
	}
	slots := slices.Delete(slices.Clone(n.slots), i, i+1)
	return &hamtNode[V]{used: n.toggled(h, shift), slots: slots}, true
}

func (n *hamtNode[V]) replaced(i int, s hamtSlot[V]) *hamtNode[V] {
	slots := slices.Clone(n.slots)
	slots[i] = s
	return &hamtNode[V]{used: n.used, slots: slots}
}

func (n *hamtNode[V]) visit(yield func(string, V) bool) bool {
	for _, s := range n.slots {
		if s.child != nil {
			if !s.child.visit(yield) {
				return false
			}
		} else if !yield(s.key, s.value) {
			return false
		}
	}
	return true
}
