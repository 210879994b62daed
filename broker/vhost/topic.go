package vhost

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

// topicMatcher compares keys word by word; in a binding's key "*" stands for one
// word and "#" for any number of them.
type topicMatcher struct {
	root    *topicNode // nil: no binding
	version uint64     // counts changes, so that the cache knows what is stale
	cache   *topicCache
}

func (t topicMatcher) match(key string, _ []byte) *destinations {
	hit, slot := t.cache.find(key, t.version)
	if hit == nil {
		hit = &topicHit{version: t.version, key: key, to: t.root.match(words(key))}
		slot.Store(hit)
	}
	return &hit.to
}

func (t topicMatcher) with(b *binding) matcher {
	root := t.root.changed(words(b.spec.Key), func(s bindingSet) bindingSet { return s.with(b) })
	return topicMatcher{root: root, version: t.version + 1, cache: t.cache}
}

func (t topicMatcher) without(b *binding) matcher {
	root := t.root.changed(words(b.spec.Key), func(s bindingSet) bindingSet { return s.without(b) })
	return topicMatcher{root: root, version: t.version + 1, cache: t.cache}
}

// words splits a key. As in RabbitMQ the empty key has no word at all, so that
// it matches "#" but not "*".
func words(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// topicNode is a node of the persistent trie over the words of binding keys.
type topicNode struct {
	words      hamt[*topicNode]
	star, hash *topicNode
	loops      bool       // this is the node of a "#": it stays active for every further word
	set        bindingSet // the bindings whose key ends here
}

func (n *topicNode) empty() bool {
	return n.words.size == 0 && n.star == nil && n.hash == nil && len(n.set.bindings) == 0
}

// changed returns a copy of the trie in which change was applied to the set at
// the end of path; nil if nothing is left.
func (n *topicNode) changed(path []string, change func(bindingSet) bindingSet) *topicNode {
	c := topicNode{}
	if n != nil {
		c = *n
	}
	if len(path) == 0 {
		c.set = change(c.set)
	} else {
		switch word, rest := path[0], path[1:]; word {
		case "*":
			c.star = c.star.changed(rest, change)
		case "#":
			if c.hash = c.hash.changed(rest, change); c.hash != nil {
				c.hash.loops = true // still ours alone: changed made it
			}
		default:
			child, _ := c.words.get(word)
			if child = child.changed(rest, change); child != nil {
				c.words = c.words.with(word, child)
			} else {
				c.words = c.words.without(word)
			}
		}
	}
	if c.empty() {
		return nil
	}
	return &c
}

// match walks the trie as the nondeterministic automaton that it is: the active
// nodes advance together, word by word. The cost is words times nodes whatever
// the keys are; recursion would be exponential in the number of "#".
func (n *topicNode) match(words []string) destinations {
	var active, next, loops []*topicNode
	enter := func(set []*topicNode, n *topicNode) []*topicNode {
		for ; n != nil && !(n.loops && slices.Contains(loops, n)); n = n.hash {
			set = append(set, n)
			if n.loops {
				loops = append(loops, n)
			}
		}
		return set
	}
	active = enter(active, n)
	for _, word := range words {
		next = append(next[:0], loops...)
		for _, n := range active {
			if child, ok := n.words.get(word); ok {
				next = enter(next, child)
			}
			next = enter(next, n.star)
		}
		active, next = next, active
	}
	return union(active)
}

// union returns the destinations of all nodes, each once.
func union(nodes []*topicNode) destinations {
	var queues distinct[*Queue]
	var exchanges distinct[*exchange]
	for _, n := range nodes {
		queues.add(n.set.to.queues)
		exchanges.add(n.set.to.exchanges)
	}
	return destinations{queues: queues.list, exchanges: exchanges.list}
}

// topicCache remembers the answers for keys seen lately. It has a fixed number of
// slots, shared by all versions of a matcher. A key has two of them, and takes
// the second when the first is busy with another key.
type topicCache struct {
	slots [topicCacheSize]atomic.Pointer[topicHit]
}

const topicCacheSize = 1 << 12 // slots of 8 bytes

// topicHit is static.
type topicHit struct {
	version uint64
	key     string
	to      destinations
}

// find returns the answer for a key, or nil and the slot where it is to be kept.
func (c *topicCache) find(key string, version uint64) (*topicHit, *atomic.Pointer[topicHit]) {
	h := maphash.String(hashSeed, key)
	first, second := &c.slots[h%topicCacheSize], &c.slots[h>>32%topicCacheSize]
	hit := first.Load()
	if hit == nil || hit.version != version {
		return nil, first
	}
	if hit.key == key {
		return hit, nil
	}
	if hit = second.Load(); hit != nil && hit.version == version && hit.key == key {
		return hit, nil
	}
	return nil, second
}
