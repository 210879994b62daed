package vhost

import "slices"

// route returns the queues that a message published to x reaches, each once. The
// slice is shared: do not change it.
func (v *VHost) route(x *exchange, m *Message) []*Queue {
	to := x.match(m)
	if len(to.exchanges) == 0 && (len(to.queues) > 0 || *x.alternate.Load() == "") {
		return to.queues
	}
	return v.routeOn(x, m, to)
}

// routeOn follows bindings between exchanges and alternate exchanges. Each
// exchange is asked once, so that cycles end.
func (v *VHost) routeOn(x *exchange, m *Message, to *destinations) []*Queue {
	var room [8]*exchange
	asked := append(room[:0], x)
	queues := distinct[*Queue]{list: slices.Clip(to.queues)} // distinct already
	follow := func(x *exchange, to *destinations) {
		next := to.exchanges
		if alternate := *x.alternate.Load(); alternate != "" && to.none() {
			if a, ok := v.exchanges.Load().get(alternate); ok {
				next = []*exchange{a}
			}
		}
		for _, x := range next {
			if !slices.Contains(asked, x) {
				asked = append(asked, x)
			}
		}
	}
	follow(x, to)
	for i := 1; i < len(asked); i++ {
		to := asked[i].match(m)
		queues.add(to.queues)
		follow(asked[i], to)
	}
	return queues.list
}
