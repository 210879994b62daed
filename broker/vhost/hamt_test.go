package vhost

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestHAMT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m hamt[int]
		want := make(map[string]int)
		keys := rapid.StringMatching(`[a-d]{0,4}`)
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			before, old := m, maps.Clone(want)
			key := keys.Draw(t, "key")
			if rapid.Bool().Draw(t, "add") {
				value := rapid.Int().Draw(t, "value")
				m, want[key] = m.with(key, value), value
			} else {
				m = m.without(key)
				delete(want, key)
			}
			checkHAMT(t, before, old)
			checkHAMT(t, m, want)
		}
	})
}

func checkHAMT(t *rapid.T, m hamt[int], want map[string]int) {
	if got := maps.Collect(m.all()); m.size != len(want) || !maps.Equal(got, want) {
		t.Fatalf("got %v of size %d, want %v", got, m.size, want)
	}
	for key, value := range want {
		if got, ok := m.get(key); !ok || got != value {
			t.Fatalf("get %q: got %d %t, want %d", key, got, ok, value)
		}
	}
}

// Keys whose hashes agree in all bits stand in a list.
func TestHAMTCollision(t *testing.T) {
	var n *hamtNode[int] = &hamtNode[int]{}
	const deep = hashWidth
	n, _ = n.with(1, deep, hamtSlot[int]{key: "a", value: 1})
	n, _ = n.with(1, deep, hamtSlot[int]{key: "b", value: 2})
	n, added := n.with(1, deep, hamtSlot[int]{key: "a", value: 3})
	if i, ok := n.slot(1, deep, "a"); added || !ok || n.slots[i].value != 3 || len(n.slots) != 2 {
		t.Errorf("replacing a: %+v", n.slots)
	}
	n, removed := n.without(1, deep, "a")
	if _, ok := n.slot(1, deep, "b"); !removed || !ok || len(n.slots) != 1 {
		t.Errorf("removing a: %+v", n.slots)
	}
}
