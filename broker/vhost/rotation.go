package vhost

import "slices"

// rotation is the consumers that wait for a message: those of the highest
// priority are asked first, and take turns among themselves. Only a tier that is
// alone may be empty.
type rotation struct{ tiers []tier } // by falling priority

// tier is the waiting consumers of one priority.
type tier struct {
	priority int64
	waiting  []*Consumer // in the order of their turns
	turn     int
}

// next returns whose turn it is, or nil.
func (r *rotation) next() *Consumer {
	if len(r.tiers) == 0 || len(r.tiers[0].waiting) == 0 {
		return nil
	}
	return r.tiers[0].waiting[r.tiers[0].turn]
}

// advance makes it the turn of the one after next.
func (r *rotation) advance() { r.tiers[0].advance() }

func (t *tier) advance() {
	if t.turn++; t.turn >= len(t.waiting) {
		t.turn = 0
	}
}

// add puts a consumer behind all of its priority that wait.
func (r *rotation) add(c *Consumer) {
	c.waiting = true
	t := r.tierFor(c.priority)
	t.waiting = slices.Insert(t.waiting, t.turn, c)
	t.advance()
}

func (r *rotation) tierFor(priority int64) *tier {
	if len(r.tiers) == 1 && len(r.tiers[0].waiting) == 0 {
		r.tiers[0].priority = priority
	}
	i := slices.IndexFunc(r.tiers, func(t tier) bool { return t.priority <= priority })
	if i < 0 {
		i = len(r.tiers)
	}
	if i == len(r.tiers) || r.tiers[i].priority != priority {
		r.tiers = slices.Insert(r.tiers, i, tier{priority: priority})
	}
	return &r.tiers[i]
}

func (r *rotation) remove(c *Consumer) {
	if !c.waiting {
		return
	}
	c.waiting = false
	at := slices.IndexFunc(r.tiers, func(t tier) bool { return t.priority == c.priority })
	t := &r.tiers[at]
	i := slices.Index(t.waiting, c)
	t.waiting = slices.Delete(t.waiting, i, i+1)
	if i < t.turn {
		t.turn--
	}
	if t.turn >= len(t.waiting) {
		t.turn = 0
	}
	if len(t.waiting) == 0 && len(r.tiers) > 1 {
		r.tiers = slices.Delete(r.tiers, at, at+1)
	}
}
